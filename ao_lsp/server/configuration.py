"""What is set for a project, out of the places where it may be set (ao_lsp/settings.py says in which order)."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ao_lsp.pyproject import nearest, settings_of
from ao_lsp.settings import BY_NAME, of_variables

if TYPE_CHECKING:
    from ao_lsp.server.command import Caller

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The right values, by the names of settings; `problems` are the wrong ones, a sentence each."""

    values: Mapping[str, Any]
    problems: tuple[str, ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a setting; `default` where nobody has set it."""
        return self.values.get(name, default)


async def configuration(caller: Caller, folder: str) -> Configuration:
    """What is set for a program in `folder`: by the caller's environment, their editor, and the project."""
    project, problems = await asyncio.to_thread(_of_project, folder)
    values = {**project, **caller.settings}
    for setting in BY_NAME.values():
        value, problem = of_variables(setting, caller.env or {})
        if problem is not None:
            problems.append(problem)
        elif value is not None:
            values[setting.name] = value
    return Configuration(values, tuple(f"{problem}; it is ignored" for problem in problems))


def of_daemon(name: str, default: Any) -> Any:
    """What is set for the daemon, which serves everybody: by the environment that it was started with. What is wrong
    there is in the log."""
    value, problem = of_variables(BY_NAME[name], os.environ)
    if problem is not None:
        log.warning("%s; it is ignored", problem)
    return default if value is None else value


def of_run(name: str, env: Mapping[str, str], folder: str) -> Any:
    """What is set for a run: by its environment, as far as that was recorded, else by the project around `folder`;
    None where nothing is. What is wrong there, `ao-record` has said."""
    value = of_variables(BY_NAME[name], env)[0]
    return _of_project(folder)[0].get(name) if value is None else value


def _of_project(folder: str) -> tuple[dict[str, Any], list[str]]:
    found = nearest(folder)
    return settings_of(found[0]) if found is not None else ({}, [])
