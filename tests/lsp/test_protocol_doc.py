"""docs/protocol.md, its schema and the clients' types are made from the types of the code (contract/), and are up to
date."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ao_lsp.server.lsp import features
from ao_lsp.server.results.editors import SettingsJson
from ao_lsp.server.results.errors import CODES, GENERAL
from ao_lsp.server.store.errors import _KNOWN
from ao_lsp.settings import SETTINGS, Setting
from contract import pages
from contract.__main__ import outdated
from contract.shapes import Choice, Items, Plain, Shape, Types, options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "protocol.schema.json").read_text(encoding="utf-8"))


def test_what_is_made_from_the_types_is_up_to_date() -> None:
    assert outdated() == [], "run scripts/make-protocol"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("page", ["commands.md", "protocol.md"])
def test_the_examples_on_a_page_are_of_the_types_that_they_say(page: str) -> None:
    found = list(pages.examples(page))
    assert found
    for kind, value in found:
        Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"}).validate(value)


@pytest.mark.parametrize("page", ["commands.md", "protocol.md"])
def test_links_on_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([\w.-]*)#?([\w-]*)\)", text):
        path = ROOT / "docs" / (target or page)
        assert path.exists(), target
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{target}#{anchor}"


def test_the_settings_of_an_editor_are_those_that_there_are() -> None:
    types = Types()
    types.shape(SettingsJson)
    fields = types.found["Settings"].fields
    kinds = {"flag": Plain("boolean"), "text": Plain("text")}

    def shape(setting: Setting) -> Shape:
        one = Choice(setting.choices) if setting.choices else kinds[setting.kind]
        return Items(one) if setting.kind == "list" else one

    assert {field.name: options(field.shape)[0] for field in fields} == {
        setting.name: shape(setting) for setting in SETTINGS if setting.editor
    }


def test_every_code_of_an_error_is_told() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "ao_lsp" / "server").rglob("*.py")]
    used = {code for text in sources for code in re.findall(r'(?:Command|Store)Error\(\s*"(\w+)"', text)}
    assert {"bad_params", "unavailable"} <= used <= CODES.keys()
    assert {code for _, code, *_ in _KNOWN} <= CODES.keys()


def test_a_command_tells_the_errors_that_its_module_has() -> None:
    commands = ROOT / "ao_lsp" / "server" / "commands"
    for path in commands.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        raised = set(re.findall(r'CommandError\(\s*"(\w+)"', text)) - set(GENERAL)
        told = {code for found in re.findall(r"errors=\((.*?)\)", text) for code in re.findall(r"\w+", found)}
        assert raised <= told, f"{path.name}: errors=… of a Command lacks {raised - told}"


def test_the_page_has_every_feature_that_is_answered() -> None:
    answered: list[str] = []

    class Registry:
        """Stands in for an editor: it only notes what is registered."""

        command_names: tuple[str, ...] = ()

        def feature(self, method: str, *_: object) -> object:
            answered.append(method)
            return lambda handler: handler

    registry: Any = Registry()  # all that is used of one
    features.register(registry)
    for method in answered:
        assert f"`{method}`" in PAGE, f"{method} is answered, the page does not say so"
