"""JSON parsed, gone through, changed and written again."""

from __future__ import annotations

import json
from typing import Any


def inputs(size: int) -> list[str]:
    return [
        json.dumps(
            {
                "id": n,
                "user": {"name": f"user {n}", "tags": [f"t{n % 7}", f"t{n % 3}"], "active": n % 2 == 0},
                "items": [{"sku": f"sku-{n}-{i}", "price": i * 1.25, "count": i} for i in range(6)],
            }
        )
        for n in range(10 * size)
    ]


def work(documents: list[str]) -> str:
    answers = []
    for text in documents:
        document = json.loads(text)
        total = 0.0
        for item in document["items"]:
            item["total"] = item["price"] * item["count"]
            total += item["total"]
        user = document["user"]
        answer = {"id": document["id"], "name": user["name"].title(), "total": total, "active": user["active"]}
        answer["strings"] = strings(document)
        answers.append(json.dumps(answer, sort_keys=True))
    return "\n".join(answers)


def strings(value: Any) -> int:
    if isinstance(value, dict):
        return sum(strings(part) for part in value.values())
    if isinstance(value, list):
        return sum(strings(part) for part in value)
    return 1 if isinstance(value, str) else 0
