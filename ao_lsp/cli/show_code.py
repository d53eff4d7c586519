"""What `ao versions`, `ao show` and `ao diff --code` print."""

from __future__ import annotations

import base64
import os
import sys
from typing import Any

from ao_lsp.cli.terminal import ago, painted, printable, table

Json = dict[str, Any]

_COLORS = {"+": "32", "-": "31", "@": "36"}
_RUNS = 3  # of a version


def versions(result: Json) -> None:
    """A line a version."""
    if not result["versions"]:
        print("no versions", file=sys.stderr)
        return
    several = len({each["project"] for each in result["versions"]}) > 1
    rows = [
        (
            each["version"][:10],
            ago(each["at"]),
            *([os.path.basename(each["project"]) or each["project"]] if several else []),
            each["summary"],
            ", ".join(each["runs"][:_RUNS]) + (f" and {more} more" if (more := len(each["runs"]) - _RUNS) > 0 else ""),
        )
        for each in result["versions"]
    ]
    print(table(("VERSION", "TAKEN", *(["PROJECT"] if several else []), "WHAT CHANGED", "RUNS"), rows))
    if result["total"] > len(rows):
        print(painted(f"and {result['total'] - len(rows)} more: --limit", "2"))


def files(result: Json) -> None:
    """A line a file."""
    for each in result["files"]:
        print(printable(each["file"]) + ("@" if each["link"] else "*" if each["executable"] else ""))


def contents(result: Json) -> None:
    """A file byte for byte."""
    sys.stdout.buffer.write(base64.b64decode(result["base64"]))


def diff(result: Json) -> None:
    """The differences one below the other; byte for byte where `patch` or a file takes them."""
    if result["identical"]:
        print("the code is the same", file=sys.stderr)
    for each in result["files"]:
        if each["diff"] is None:
            print(painted(printable(f"{each['file']} {each['status']}: too long to compare line by line"), "33"))
            continue
        if not sys.stdout.isatty():
            sys.stdout.buffer.write(each["diff"].encode("utf-8", "replace"))
            continue
        for line in each["diff"].split("\n")[:-1]:
            color = "1" if line.startswith(("--- ", "+++ ")) else _COLORS.get(line[:1], "")
            print(painted(printable(line), color))
