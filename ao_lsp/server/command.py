"""What a command is: parameters, a handler, and whoever runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, cast

from ao_lsp.server.core import Core
from ao_lsp.server.params import read
from ao_lsp.server.views import Json

P = TypeVar("P")

Progress: TypeAlias = Callable[[int, "int | None", str], None]
"""Takes how much is done, of how much (None: unknown), and a message."""

RUN = "which run: its id, the beginning of it, a name, or `last`"
CALL = "which call: its number in the run, its id, or the beginning of it"

POLICY = "what to do with a call that has no recording; null: what `on_miss` is set to, else live"


def _no_progress(done: int, total: int | None, message: str) -> None:
    """For a caller who does not want to hear of it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who wants something done. `env` is their environment, None where they sent none; `settings` are those of
    their editor."""

    env: Mapping[str, str] | None = None
    progress: Progress = field(default=_no_progress)
    settings: Mapping[str, Any] = field(default_factory=dict)


def environment_of(preamble: Mapping[str, Any]) -> dict[str, str] | None:
    """The environment that a client sent with its preamble."""
    env = preamble.get("env")
    if not isinstance(env, dict):
        return None
    return {name: value for name, value in env.items() if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class Command(Generic[P]):
    """A command: its parameters (a dataclass, see params.py) and what it does with them.

    What the handler is declared to return, of the types in results/, is what the documentation and the schema say that
    it gives. `since` is the revision that brought it (docs/protocol.md); `errors` are the codes that it may have beside
    the general ones (results/errors.py).
    """

    summary: str
    params: type[P]
    handler: Callable[[Core, Caller, P], Awaitable[Mapping[str, object]]]
    since: int = 1
    errors: tuple[str, ...] = ()

    async def run(self, core: Core, caller: Caller, given: Any) -> Json:
        """Do it.

        Raises:
            CommandError: `given` does not fit, or it cannot be done.
            StoreError: the database fails.
        """
        return cast("Json", await self.handler(core, caller, read(self.params, given)))  # it is JSON, to be sent
