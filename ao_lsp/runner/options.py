"""The command line of `ao-record`, parsed by hand: importing `argparse` costs a warm start 6 ms."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

USAGE = """\
usage: ao-record [options] script.py [args]
       ao-record [options] -m module [args]

Runs a Python program exactly as python would, and records its LLM calls.

options:
  --name NAME        a name for the run, to be used in place of its id
  --python PATH      the interpreter (default: the active environment's, that of a .venv beside the script or
                     above it, else this one, or where this one was installed as a tool, the python on your $PATH)
  --rewrite WHAT     count a package, or files and folders (joined by ':'), as your own code
  --no-taint         record calls, but do not track which values they came from
  --gateway          record what no patch reaches, too: children in other languages, clients with sockets of
                     their own; the variables by which SDKs find their hosts lead through a process of ours
  --http             record the other HTTP requests of your code, too, as calls of tools
                     (--taint, --no-gateway, --no-http: not what AO_* variables or pyproject.toml say)
  --live | --strict | --ask
                     what a rerun does with a call that it has no recording of: make it (default),
                     fail, or ask on the terminal
  --json FILE        write one line of JSON about the run to FILE, or to a file descriptor (a number)
  -W, -X, -O, -u, …  as for python
"""

_WITH_VALUE = (
    "--name", "--python", "--rewrite", "--json", "--server-python", "--child", "--lineage", "--plan", "--set",
    "--subrun", "--began",
)  # fmt: skip
_SWITCHES = ("--taint", "--no-taint", "--gateway", "--no-gateway", "--http", "--no-http")
# Options of the interpreter itself: single letters, some with a value.
_FLAGS = frozenset("bBdEiIOPqsSuv")
_FLAGS_WITH_VALUE = frozenset("WX")


class UsageError(Exception):
    """The command line makes no sense; the message says why."""


class Options:
    """What `ao-record` was asked to do.

    `kind` is how the program is named: `script`, `module` (`-m`) or `command` (`-c`); `program` is
    its file, module or text; `arguments` are its own.

    Of a child of a recorded program (children.py) `child` says whose: `RUN:SESSION:STREAM`, and then
    `:root` where it took the place of the run's first process. `lineage` is its name, `subrun` the one in which it
    was started (groups.py), `plan` the plan of a rerun, `began` when the run did (Unix seconds), `variables` are
    `NAME=VALUE` for paths.py; `command_line` is what it would have been started with. `given` are the settings that
    the command line has.
    """

    __slots__ = (
        "arguments", "began", "child", "command_line", "flags", "gateway", "given", "http", "json", "kind", "lineage",
        "name", "plan", "policy", "program", "python", "rewrite", "server_python", "subrun", "taint", "variables",
    )  # fmt: skip

    def __init__(self) -> None:
        self.kind: Literal["script", "module", "command"] = "script"
        self.program = ""
        self.arguments: list[str] = []
        self.flags: list[str] = []
        self.name: str | None = None
        self.python: str | None = None
        self.rewrite: list[str] = []
        self.taint = True
        self.gateway = False
        self.http = False
        self.given: set[str] = set()
        self.policy: str | None = None
        self.json: str | None = None
        self.server_python: str | None = None
        self.child: str | None = None
        self.lineage = ""
        self.subrun = ""
        self.began: str | None = None
        self.plan: str | None = None
        self.variables: list[str] = []
        self.command_line: list[str] = []

    def own(self) -> list[str]:
        """The options that a rerun has to repeat."""
        repeated = list(self.flags)
        for item in self.rewrite:
            repeated += ["--rewrite", item]
        if not self.taint:
            repeated.append("--no-taint")
        if self.gateway:
            repeated.append("--gateway")
        if self.http:
            repeated.append("--http")
        return repeated


def parse(arguments: list[str]) -> Options:
    """What follows `ao-record` on the command line.

    Raises:
        UsageError: an option is unknown or lacks its value, or no program is named.
    """
    options = Options()
    rest = list(arguments)

    def value_of(option: str) -> str:
        if not rest:
            raise UsageError(f"{option} needs a value")
        return rest.pop(0)

    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            if options.child:
                return _of_child(options, rest)
            break
        if option in ("-m", "-c"):
            options.kind = "module" if option == "-m" else "command"
            options.program = value_of(option)
            options.arguments = rest
            return options
        if option.startswith("--"):
            name, has_value, value = option.partition("=")
            if name in _WITH_VALUE:
                value = value if has_value else value_of(name)
                options.given.add(name[2:])
                if name == "--rewrite":
                    options.rewrite.append(value)
                elif name == "--set":
                    options.variables.append(value)
                else:
                    setattr(options, name[2:].replace("-", "_"), value)
            elif name in _SWITCHES and not has_value:
                setting = name[2:].removeprefix("no-")
                setattr(options, setting, not name.startswith("--no-"))
                options.given.add(setting)
            elif option in ("--live", "--strict", "--ask"):
                options.policy = option[2:]
            else:
                raise UsageError(f"unknown option {option}")
        elif option[1] in _FLAGS_WITH_VALUE:
            options.flags += [option] if len(option) > 2 else [option, value_of(option)]
        elif set(option[1:]) <= _FLAGS:
            options.flags.append(option)
        elif option[1] in "mc":
            options.kind = "module" if option[1] == "m" else "command"
            options.program, options.arguments = option[2:], rest
            return options
        else:
            raise UsageError(f"unknown option {option}")
    if not rest or rest[0] == "-":
        raise UsageError("no program: name a script, or a module with -m")
    options.program = rest.pop(0)
    options.arguments = rest
    return options


def _of_child(options: Options, command_line: list[str]) -> Options:
    """With what python was to be started with, before its command line was changed."""
    from ao_lsp.runner.command_line import split

    command = split(command_line)
    if command is None:
        raise UsageError("no program")
    options.command_line = command_line
    options.flags = command.flags
    options.kind, options.program, options.arguments = command.kind, command.program, command.arguments
    return options
