"""Who may import whom (ARCHITECTURE.md). Imports for types count: what one package says about another
is a dependency too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ao_lsp"

# What each part may import of ours; itself is always allowed. The longest matching name decides.
MAY_IMPORT = {
    "ao_lsp": set(),
    "ao_lsp.protocol": set(),
    "ao_lsp.paths": {"ao_lsp.protocol"},
    "ao_lsp.settings": set(),
    "ao_lsp.pyproject": {"ao_lsp.settings"},
    "ao_lsp.connect": {"ao_lsp", "ao_lsp.paths", "ao_lsp.protocol", "ao_lsp.server"},
    "ao_lsp.forwarder": {"ao_lsp", "ao_lsp.connect", "ao_lsp.paths", "ao_lsp.protocol", "ao_lsp.server"},
    "ao_lsp.taint": {"ao_lsp.paths"},
    "ao_lsp.runner": {
        "ao_lsp",
        "ao_lsp.connect",
        "ao_lsp.paths",
        "ao_lsp.protocol",
        "ao_lsp.pyproject",
        "ao_lsp.settings",
        "ao_lsp.taint",
    },
    "ao_lsp.server": {
        "ao_lsp",
        "ao_lsp.connect",
        "ao_lsp.paths",
        "ao_lsp.protocol",
        "ao_lsp.pyproject",
        "ao_lsp.settings",
    },
    "ao_lsp.cli": {"ao_lsp", "ao_lsp.cli.local", "ao_lsp.connect", "ao_lsp.paths", "ao_lsp.protocol"},
    "ao_lsp.cli.local": {"ao_lsp.connect", "ao_lsp.server"},
}

# The same within the language server: what each of its parts may import of the others at run time.
LANGUAGE_SERVER = {
    "buffers": set(),
    "connection": {"buffers"},
    "recorded": {"buffers"},
    "shown": {"buffers", "recorded"},
    "doing": {"buffers", "connection", "recorded", "shown"},
}

# Third-party packages, and the only part that may import each.
THIRD_PARTY = {
    "aiosqlite": "ao_lsp.server.store",
    "ast_grep_py": "ao_lsp.server",
    "asyncpg": "ao_lsp.server.store",
    "attrs": "ao_lsp.server.lsp",
    "cattrs": "ao_lsp.server.lsp",
    "dulwich": "ao_lsp.server",
    "genai_prices": "ao_lsp.server.pricing",
    "lsprotocol": "ao_lsp.server.lsp",
    "pygls": "ao_lsp.server.lsp",
    "tomli": "ao_lsp.pyproject",
    "watchdog": "ao_lsp.server.watch",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, with what it imports from it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            for name in node.names:
                yield f"{node.module}.{name.name}"


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def part_of(name: str) -> str:
    """The part of the architecture that a module belongs to."""
    return max((part for part in MAY_IMPORT if within(name, part)), key=len)


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_in_the_documented_directions(module: str) -> None:
    part = part_of(module)
    for name in imports(MODULES[module]):
        if within(name, "ao_lsp"):
            # `from ao_lsp import paths` imports ao_lsp.paths; `from ao_lsp import __version__` the package.
            imported = part_of(name)
            assert imported == part or imported in MAY_IMPORT[part], f"{part} must not import {imported}"


@pytest.mark.parametrize("part", LANGUAGE_SERVER)
def test_the_language_server_is_in_layers(part: str) -> None:
    whole = "ao_lsp.server.lsp"
    allowed = {part, *LANGUAGE_SERVER[part]}
    for module, path in MODULES.items():
        if within(module, f"{whole}.{part}"):
            for name in imports(path):
                if within(name, whole) and not any(within(name, f"{whole}.{one}") for one in allowed):
                    # For types only: at run time it would be a circle.
                    assert name == f"{whole}.editor.Editor", f"{module} must not import {name}"


@pytest.mark.parametrize("module", MODULES)
def test_third_party_packages_stay_where_they_belong(module: str) -> None:
    for name in imports(MODULES[module]):
        package = name.partition(".")[0]
        if package == "ao_lsp" or package in sys.stdlib_module_names:
            continue
        assert package in THIRD_PARTY, f"{module} imports {package}, which is no declared dependency"
        assert within(module, THIRD_PARTY[package]), f"only {THIRD_PARTY[package]} imports {package}"


def test_only_the_rewriter_imports_ast() -> None:
    importing = {
        module for module, path in MODULES.items() if within(module, "ao_lsp.taint") and "ast" in imports(path)
    }
    # The hook writes the rewritten source for a person to read, when asked to.
    assert importing == {"ao_lsp.taint.hook", "ao_lsp.taint.rewrite"}
