"""Shapes as the types of a language that clients are written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.shapes import Choice, Either, Items, Named, Plain, Shape, Table


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a language writes types: `plain` names that differ from ours, what stands between `either` of several, and
    a `table` and a `named` type, with `{}` for what they are of."""

    plain: Mapping[str, str]
    either: str
    table: str
    named: str

    def of(self, shape: Shape) -> str:
        match shape:
            case Plain(name):
                return self.plain.get(name, name)
            case Choice(values):
                return self.either.join(f'"{value}"' for value in values)
            case Items(of):
                return f"({self.of(of)})[]" if isinstance(of, Choice | Either) else f"{self.of(of)}[]"
            case Table(of):
                return self.table.format(self.of(of))
            case Named(name):
                return self.named.format(name)
            case Either(shapes):
                return self.any_of(shapes)

    def any_of(self, shapes: Iterable[Shape]) -> str:
        return self.either.join(dict.fromkeys(map(self.of, shapes)))
