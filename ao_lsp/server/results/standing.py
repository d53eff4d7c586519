"""How the server stands, at a glance."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

Health: TypeAlias = Literal["ok", "warning", "error"]


class RunningJson(TypedDict):
    """A program that runs."""

    run: str
    name: str
    background: Annotated[bool, "a rerun of ours"]


class StandingJson(TypedDict):
    """Whether all is well, and what goes on."""

    health: Annotated[
        Health, "`error`: nothing can be stored at the moment; `warning`: the database was damaged and put aside"
    ]
    quiescent: Annotated[bool, "no program runs, and nothing is compiled"]
    message: Annotated[str, "what is wrong and what to do, or what goes on; may be empty"]
    running: Annotated[list[RunningJson], "the first 20"]
    compiling: Annotated[int, "so many files wait to be made ready"]
