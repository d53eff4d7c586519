"""The entry point of `ao-record`."""

from __future__ import annotations

import os
import sys

from ao_lsp.runner.options import USAGE, UsageError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def _set_aside() -> None:
    """What is loaded from now on is no file of the program's, for tools that report on those."""
    from ao_lsp.taint.hiding import set_modules_aside

    runner = os.path.dirname(os.path.abspath(__file__))
    for folder in (
        os.path.dirname(runner),
        runner,
        os.path.join(runner, "gateway"),
        os.path.join(runner, "transports"),
    ):
        set_modules_aside(folder)


def main(handed_over: bool = False) -> NoReturn:
    """Run `ao-record` with the process's arguments. Does not return (launch.py says how it ends)."""
    arguments = sys.argv[1:]
    if not handed_over and arguments[:1] in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        raise SystemExit(0)
    if not handed_over and arguments[:1] in (["--version"], ["-V"]):
        from ao_lsp import __version__

        sys.stdout.write(f"ao-record {__version__} (python {sys.version.split()[0]})\n")
        raise SystemExit(0)
    try:
        options = parse(arguments)
    except UsageError as error:
        sys.stderr.write(f"ao-record: {error}\n\n{USAGE}")
        raise SystemExit(2) from None
    if not handed_over:
        from ao_lsp.runner import interpreter

        if "AO_PLAN" not in os.environ:  # a rerun repeats what was recorded
            from ao_lsp.runner import configured

            arguments = [*configured.fill(options), *arguments]
        python = interpreter.choose(options)
        if options.flags or not interpreter.stay_in(python):
            try:
                interpreter.hand_over(python, options, arguments)
            except OSError as error:
                sys.stderr.write(f"ao-record: cannot run {python}: {error.strerror}\n")
                raise SystemExit(127) from None
    _set_aside()
    for variable in options.variables:
        from ao_lsp import paths

        name, _, value = variable.partition("=")
        paths.give(name, value)
    if options.server_python:
        from ao_lsp import connect

        connect.use_server_python(options.server_python)
    from ao_lsp.runner.launch import launch
    from ao_lsp.runner.recorder import Recorder

    recorder = Recorder.start(options)
    launch(options, recorder.ended)
