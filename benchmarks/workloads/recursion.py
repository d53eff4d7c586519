"""Functions that call themselves: numbers, trees, permutations, queens on a board."""

from __future__ import annotations

from typing import Any


def inputs(size: int) -> tuple[int, str, int]:
    return (7 + size.bit_length(), "abcd" if size < 10 else "abcdef", 4 if size < 10 else 6)


def work(given: tuple[int, str, int]) -> tuple[int, int, int, int]:
    depth, letters, board = given
    tree = grown(depth - 2, letters)
    return fibonacci(depth + 3), len(permutations(letters)), weight(tree), queens(board, ())


def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def permutations(text: str) -> list[str]:
    if len(text) <= 1:
        return [text]
    return [text[i] + rest for i in range(len(text)) for rest in permutations(text[:i] + text[i + 1 :])]


def grown(depth: int, name: str) -> dict[str, Any]:
    if depth == 0:
        return {"name": name, "children": []}
    return {"name": name, "children": [grown(depth - 1, name + "l"), grown(depth - 1, name + "r")]}


def weight(tree: dict[str, Any]) -> int:
    return len(tree["name"]) + sum(weight(child) for child in tree["children"])


def queens(size: int, placed: tuple[int, ...]) -> int:
    row = len(placed)
    if row == size:
        return 1
    count = 0
    for column in range(size):
        if all(column != other and abs(column - other) != row - r for r, other in enumerate(placed)):
            count += queens(size, (*placed, column))
    return count
