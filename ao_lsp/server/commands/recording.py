"""`ao.record`: how a program is recorded. Who asks runs it: in a terminal of theirs, which we have not."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from ao_lsp.server.command import Caller, Command
from ao_lsp.server.configuration import configuration
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.opening import CommandLineJson


@dataclass(frozen=True, slots=True)
class RecordParams:
    file: str = param("the path of a program")
    arguments: list[str] | None = param("what it is given on its command line", None)  # noqa: RUF009 - a field


async def _record(_: Core, caller: Caller, params: RecordParams) -> CommandLineJson:
    if not os.path.isabs(params.file):
        raise CommandError("bad_params", f"{params.file} is no absolute path")
    folder = os.path.dirname(params.file)
    python = (await configuration(caller, folder)).get("python")
    # What the project says, `ao-record` reads itself.
    named = ["--python", python] if python is not None and python == caller.settings.get("python") else []
    argv = ["ao-record", *named, os.path.basename(params.file), *(params.arguments or ())]
    return {"command": shlex.join(argv), "argv": argv, "cwd": folder}


RECORD = Command("say how a program is recorded: the command line to run", RecordParams, _record, since=2)
