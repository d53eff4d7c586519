"""The `ao.*` commands: one table for the command line, editors and scripts (docs/commands.md).

Every command takes one JSON object and gives one. What goes wrong for a reason that a user can
understand is a `CommandError`.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any

from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands import (
    choosing,
    comparing,
    deleting,
    editing,
    exporting,
    opening,
    output,
    reading,
    recording,
    rerunning,
    standing,
    tracing,
    versions,
)
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError
from ao_lsp.server.store import StoreError
from ao_lsp.server.views import Json

log = logging.getLogger(__name__)

COMMANDS: dict[str, Command[Any]] = {
    "ao.runs": reading.RUNS,
    "ao.graph": opening.GRAPH,
    "ao.call": opening.CALL,
    "ao.chooseCall": choosing.CHOOSE,
    "ao.why": tracing.WHY,
    "ao.origins": tracing.ORIGINS,
    "ao.diff": comparing.DIFF,
    "ao.versions": versions.VERSIONS,
    "ao.show": versions.SHOW,
    "ao.diffCode": versions.DIFF_CODE,
    "ao.checkout": versions.CHECKOUT,
    "ao.content": opening.CONTENT,
    "ao.openPrompt": opening.OPEN_PROMPT,
    "ao.openOutput": opening.OPEN_OUTPUT,
    "ao.openLog": opening.OPEN_LOG,
    "ao.openDiff": opening.OPEN_DIFF,
    "ao.openCode": opening.OPEN_CODE,
    "ao.edit": editing.EDIT,
    "ao.editOutput": editing.EDIT_OUTPUT,
    "ao.editInput": editing.EDIT_INPUT,
    "ao.unedit": editing.UNEDIT,
    "ao.plan": rerunning.PLAN,
    "ao.rerun": rerunning.RERUN,
    "ao.rerunFrom": rerunning.RERUN_FROM,
    "ao.record": recording.RECORD,
    "ao.output": output.OUTPUT,
    "ao.stop": rerunning.STOP,
    "ao.export": exporting.EXPORT,
    "ao.rm": deleting.RM,
    "ao.status": standing.STATUS,
}

ALIASES = {"ao.diff_code": "ao.diffCode", "ao.howToRecord": "ao.record"}
"""Names of before, which are still understood → those of now."""


async def execute(
    core: Core, caller: Caller, name: str, params: Any, commands: Mapping[str, Command[Any]] = COMMANDS
) -> Json:
    """The result of the command `name`.

    Raises:
        CommandError: whatever went wrong; what we did not expect is in the log, and has the code
            `internal`.
    """
    command = commands.get(ALIASES.get(name, name))
    if command is None:
        close = difflib.get_close_matches(name, commands, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(commands)}"
        raise CommandError("unknown_command", f"no such command: {name}", hint)
    try:
        return await command.run(core, caller, params)
    except CommandError:
        raise
    except StoreError as error:
        raise CommandError(error.code, str(error), error.hint) from error
    except Exception as error:
        log.exception("command %s failed", name)
        raise CommandError("internal", f"{name} failed: {type(error).__name__}", "see ao-server logs") from error
