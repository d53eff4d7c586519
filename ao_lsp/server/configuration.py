"""What is set for a project, out of the places where it may be set (ao_lsp/settings.py says in which order)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ao_lsp.pyproject import nearest, settings_of
from ao_lsp.server.command import Caller
from ao_lsp.settings import BY_NAME, of_variables


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


def _of_project(folder: str) -> tuple[dict[str, Any], list[str]]:
    found = nearest(folder)
    return settings_of(found[0]) if found is not None else ({}, [])
