"""Lists, dictionaries, sets and tuples: filled, grouped, sorted, sliced, gone over."""

from __future__ import annotations

from collections import Counter, defaultdict, deque

Row = tuple[str, str, int]


def inputs(size: int) -> list[Row]:
    return [(f"name{n * 7 % 101}", f"city{n % 13}", n * 37 % 91) for n in range(120 * size)]


def work(rows: list[Row]) -> dict[str, object]:
    by_city: dict[str, list[dict[str, object]]] = {}
    sums: dict[str, int] = defaultdict(int)
    for name, city, age in rows:
        by_city.setdefault(city, []).append({"name": name, "age": age})
        sums[city] += age
    names = {name for name, _, _ in rows}
    grown = [(name, age + 1) for name, city, age in rows if age > 40 and city in by_city]
    grown.sort(key=lambda pair: (pair[1], pair[0]))
    return {
        "oldest": {city: sorted((p["name"] for p in people), key=str)[-1] for city, people in by_city.items()},
        "sums": dict(sorted(sums.items())),
        "names": sorted(names),
        "top": grown[-10:][::-1],
        "often": Counter(name for name, _, _ in rows).most_common(3),
        "windows": windows([age for _, _, age in rows]),
    }


def windows(numbers: list[int]) -> list[int]:
    window: deque[int] = deque(maxlen=5)
    found: list[int] = []
    for number in numbers:
        window.append(number)
        if len(window) == 5:
            found.append(max(window) - min(window))
    return found
