"""What was promised to clients is kept (docs/protocol.md, What may change): contract/revisions/ has what
earlier revisions said."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ao_lsp.server.lsp.connection.negotiation import HISTORY, REVISION
from contract.changes import earlier
from tests.lsp.test_protocol_doc import SCHEMA

Json = dict[str, Any]

EARLIER = earlier()
TABLES = ("methods", "commands", "editorCommands", "daemonCommands")


def shapes(schema: Json, one: Json) -> Iterator[Json]:
    """What a value may be, one by one."""
    if "$ref" in one:
        yield from shapes(schema, schema["$defs"][one["$ref"].rpartition("/")[2]])
    elif "anyOf" in one:
        for part in one["anyOf"]:
            yield from shapes(schema, part)
    elif isinstance(one.get("type"), list):
        yield from ({**one, "type": kind} for kind in one["type"])
    else:
        yield one


class Change(Exception):
    """Something that a client relies on is not as it was."""


class Comparison:
    """An earlier schema, and a later one."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new

    def check(self) -> None:
        """
        Raises:
            Change: the later one breaks a promise.
        """
        if not self._old["errors"]["codes"].keys() <= self._new["errors"]["codes"].keys():
            raise Change("a code of errors is gone")
        for table in TABLES:
            for name, was in self._old[table].items():
                known = self._new[table] if table != "editorCommands" else {**self._new["commands"], **self._new[table]}
                now = known.get(self._new["aliases"].get(name, name))
                if now is None:
                    raise Change(f"{name} is gone")
                if was["direction"] != now["direction"] or was["kind"] != now["kind"]:
                    raise Change(f"{name} goes another way")
                told = was["direction"] == "toClient"
                (self.given if told else self.taken)(was["params"], now["params"], name)
                if "result" in was:
                    self.given(was["result"], now["result"], f"{name} →")

    def given(self, was: Json, now: Json, where: str) -> None:
        """Whatever a client gets now, it could have got before, but for what is added to it."""
        before = list(shapes(self._old, was))
        for shape in shapes(self._new, now):
            self._some(before, shape, where, lambda old, new: self._gives(old, new, where))

    def taken(self, was: Json, now: Json, where: str) -> None:
        """Whatever a client could send, it still can."""
        after = list(shapes(self._new, now))
        for shape in shapes(self._old, was):
            self._some(after, shape, where, lambda new, old: self._takes(old, new, where))

    def _some(self, among: list[Json], one: Json, where: str, fits: Callable[[Json, Json], None]) -> None:
        wrong: list[str] = []
        for other in among:
            try:
                fits(other, one)
            except Change as error:
                wrong.append(str(error))
            else:
                return
        raise Change(f"{where}: {'; '.join(wrong) or 'another type'}")

    def _gives(self, old: Json, new: Json, where: str) -> None:
        _same_kind(old, new, where)
        for name, inside in old.get("properties", {}).items():
            there = new.get("properties", {}).get(name)
            if there is None or (name in old.get("required", ()) and name not in new.get("required", ())):
                raise Change(f"{where}.{name} may be missing")
            self.given(inside, there, f"{where}.{name}")
        self._inside(old, new, where, self.given)

    def _takes(self, old: Json, new: Json, where: str) -> None:
        _same_kind(old, new, where)
        if "enum" in old and "enum" in new and not set(old["enum"]) <= set(new["enum"]):
            raise Change(f"{where} does not take {old['enum']}")
        wanted = set(new.get("required", ())) - set(old.get("required", ()))
        if wanted:
            raise Change(f"{where} has to have {wanted}")
        for name, inside in old.get("properties", {}).items():
            there = new.get("properties", {}).get(name)
            if there is None:
                raise Change(f"{where}.{name} is not taken any more")
            self.taken(inside, there, f"{where}.{name}")
        self._inside(old, new, where, self.taken)

    def _inside(self, old: Json, new: Json, where: str, fits: Callable[[Json, Json, str], None]) -> None:
        for part in ("items", "additionalProperties"):
            if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
                fits(old[part], new[part], f"{where}[]")


def _same_kind(old: Json, new: Json, where: str) -> None:
    kinds = [one.get("type", "string" if "enum" in one else None) for one in (old, new)]
    if kinds[0] is not None and kinds[0] != kinds[1] and kinds != ["number", "integer"]:
        raise Change(f"{where} was {kinds[0]} and is {kinds[1]}")


@pytest.mark.parametrize("revision", EARLIER)
def test_what_an_earlier_revision_said_still_holds(revision: int) -> None:
    Comparison(EARLIER[revision], SCHEMA).check()


def test_what_is_new_is_told_with_its_revision() -> None:
    first = EARLIER[1]
    for table in TABLES:
        for name, one in SCHEMA[table].items():
            known = name in first[table] or name in first["commands"] or name in first["editorCommands"]
            assert one["since"] == 1 if known else one["since"] > 1, f"{name}: since={REVISION}, in its declaration"
    assert all(at <= REVISION for at, *_ in HISTORY)


def gone(schema: Json) -> None:
    del schema["commands"]["ao.why"]


def field_gone(schema: Json) -> None:
    del schema["$defs"]["Node"]["properties"]["number"]


def field_may_be_missing(schema: Json) -> None:
    schema["$defs"]["Edge"]["required"].remove("path")


def field_may_be_null(schema: Json) -> None:
    schema["$defs"]["Run"]["properties"]["name"] = {"type": ["string", "null"]}


def field_of_another_type(schema: Json) -> None:
    schema["$defs"]["Usage"]["properties"]["input_tokens"] = {"type": "string"}


def parameter_gone(schema: Json) -> None:
    del schema["$defs"]["RunsParams"]["properties"]["limit"]


def parameter_required(schema: Json) -> None:
    schema["$defs"]["GraphParams"]["required"] = ["run"]


def parameter_takes_less(schema: Json) -> None:
    schema["$defs"]["CallParams"]["properties"]["call"] = {"type": "integer"}


def choice_gone(schema: Json) -> None:
    schema["$defs"]["GraphParams"]["properties"]["format"]["enum"].remove("dot")


def code_gone(schema: Json) -> None:
    del schema["errors"]["codes"]["refused"]


@pytest.mark.parametrize(
    "broken",
    [
        gone, field_gone, field_may_be_missing, field_may_be_null, field_of_another_type,
        parameter_gone, parameter_required, parameter_takes_less, choice_gone, code_gone,
    ],
)  # fmt: skip
def test_a_promise_that_is_broken_is_noticed(broken: Callable[[Json], None]) -> None:
    later = copy.deepcopy(SCHEMA)
    Comparison(SCHEMA, later).check()
    broken(later)
    with pytest.raises(Change):
        Comparison(SCHEMA, later).check()


def added_everywhere(schema: Json) -> None:
    for one in schema["$defs"].values():
        one.setdefault("properties", {})["new"] = {"type": "string"}
    schema["commands"]["ao.new"] = schema["commands"]["ao.why"]
    schema["$defs"]["GraphParams"]["properties"]["format"]["enum"].append("png")
    schema["$defs"]["Run"]["properties"]["status"]["enum"].append("asleep")


def test_what_is_added_breaks_nothing() -> None:
    later = copy.deepcopy(SCHEMA)
    added_everywhere(later)
    Comparison(SCHEMA, later).check()
