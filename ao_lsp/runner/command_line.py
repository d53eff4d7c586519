"""What a command line of python's runs: pure functions, for whoever starts a child and for the child."""

from __future__ import annotations

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

keep(__name__)

_FLAGS = frozenset("bBdEIOPqRsStu")
_WITH_VALUE = frozenset("WX")
# These print what is imported, or how much memory is used: we would be seen.
_TELLING = ("importtime", "showrefcount", "showalloccount")

# They install, and make environments; nothing of the user's runs in them, and they start themselves again.
_ALONE = frozenset({"pip", "ensurepip", "venv", "virtualenv", "ao_lsp"})
_ALONE_SCRIPTS = ("pip", "pip3", "uv", "virtualenv", "ao", "ao-lsp", "ao-record", "ao-server", "bootstrap.py")


class Command:
    """`flags` are the interpreter's own; `kind` and `program` as in `Options`; `arguments` are the program's."""

    __slots__ = ("arguments", "flags", "kind", "program")

    def __init__(
        self, flags: list[str], kind: Literal["script", "module", "command"], program: str, arguments: list[str]
    ) -> None:
        self.flags = flags
        self.kind = kind
        self.program = program
        self.arguments = arguments


def split(arguments: list[str]) -> Command | None:
    """What follows `python`; None where it runs no script, module or command, or has options that we would
    be in the way of (`-i`, `-v`, `-x`, `--help`)."""
    flags: list[str] = []
    rest = list(arguments)
    while rest:
        first = rest.pop(0)
        if first == "--" and rest:
            return Command(flags, "script", rest[0], rest[1:])
        if first in ("", "-") or first.startswith("--"):
            return None
        if not first.startswith("-"):
            return Command(flags, "script", first, rest)
        for index, letter in enumerate(first):
            if index == 0 or letter in _FLAGS:
                continue
            if letter not in "cm" and letter not in _WITH_VALUE:
                return None
            value = first[index + 1 :]
            if not value:
                if not rest:
                    return None
                value = rest.pop(0)
            if letter in _WITH_VALUE:
                if letter == "X" and value.startswith(_TELLING):
                    return None
                first = first[: index + 1] + value
                break
            if index > 1:
                flags.append(first[:index])
            return Command(flags, "command" if letter == "c" else "module", value, rest)
        flags.append(first)
    return None


def is_alone(command: Command) -> bool:
    """Whether a program is left alone: it makes no calls of the user's, or records by itself."""
    if command.kind == "module":
        return command.program.partition(".")[0] in _ALONE
    if command.kind == "command":
        return command.program.startswith("from multiprocessing.resource_tracker import main;")
    name = command.program.rpartition("/")[2]
    return name in _ALONE_SCRIPTS or (name.startswith("pip3.") and name[5:].isdigit())


def name_of(command: Command) -> str:
    """What a child is called among its like. Those of multiprocessing get another name from there."""
    if command.kind == "command":
        return "spawn" if command.program.startswith("from multiprocessing.") else "-c"
    return command.program.rstrip("/").rpartition("/")[2]
