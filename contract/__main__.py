"""Write everything that is made from the types, or say what of it is out of date (`--check`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from contract.lua import lua
from contract.pages import PageError, pages
from contract.schema import schema
from contract.surface import surface
from contract.typescript import typescript

ROOT = Path(__file__).parents[1]


def made() -> Iterator[tuple[Path, str]]:
    """Each file with what has to be in it.

    Raises:
        PageError: a template says what cannot be made.
    """
    found = surface()
    for name, text in pages(found).items():
        yield ROOT / "docs" / name, text
    yield ROOT / "docs/protocol.schema.json", json.dumps(schema(found), indent=1, ensure_ascii=False) + "\n"
    yield ROOT / "clients/neovim/lua/ao/protocol.lua", lua(found)
    yield ROOT / "clients/vscode/src/protocol.ts", typescript(found)


def outdated() -> list[Path]:
    """The files that are not as they have to be."""
    return [path for path, text in made() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: Sequence[str]) -> int:
    try:
        wrong = outdated()
        for path, text in made() if "--check" not in arguments else ():
            if path in wrong:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    for path in wrong:
        print(f"{'out of date' if '--check' in arguments else 'written'}: {path.relative_to(ROOT)}")
    return 1 if wrong and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
