"""Files that were renamed, moved or copied since a program ran: what was recorded goes with them."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import ask
from tests.lsp.conftest import NEVER, PLAN, SEARCH, record
from tests.lsp.editors import User, editor
from tests.runner.recorded import RECORD

pytestmark = pytest.mark.usefixtures("home")

EXAMPLE = Path(__file__).parents[2] / "examples/research_agent.py"
NOTHING = ["not recorded yet"]


async def recorded_lines(user: User, file: Path) -> list[int]:
    titles = await user.lens_titles(await user.open(file))
    return [line for line, said in titles.items() if said != NOTHING]


async def test_what_was_recorded_of_a_file_is_shown_under_the_name_that_the_client_gave_it(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        assert "did_rename=FileOperationRegistrationOptions" in repr(user.capabilities.workspace)
        new = agent.rename(agent.with_name("planner.py"))
        # So much is new in it that nobody would know it again.
        new.write_text(new.read_text("utf-8") + "".join(f"x{number} = {number}\n" for number in range(90)), "utf-8")
        assert await recorded_lines(user, new) == []
        user.rename(agent, new)
        assert await recorded_lines(user, new) == [PLAN, SEARCH]
        # Once more, with its folder.
        folder = agent.parent / "agents"
        folder.mkdir()
        moved = new.rename(folder / "planner.py")
        user.rename(new, moved)
        renamed = folder.rename(agent.parent / "workers")
        user.rename(folder, renamed)
        assert await recorded_lines(user, renamed / "planner.py") == [PLAN, SEARCH]
        # Its actions are those of the run.
        shown = await user.click((renamed / "planner.py").as_uri(), PLAN, "graph")
        assert "plan" in repr(shown)


async def test_a_name_that_another_file_has_again_is_that_files(agent: Path) -> None:
    record(agent)
    new = Path(shutil.copy(agent, agent.with_name("planner.py")))
    async with editor("vscode") as user:
        user.rename(agent, new)  # but it is there: a copy
        assert await recorded_lines(user, new) == []
        assert await recorded_lines(user, agent) == [PLAN, SEARCH]


async def test_a_run_of_the_new_name_takes_over(agent: Path) -> None:
    record(agent)
    new = agent.rename(agent.with_name("planner.py"))
    record(new, "run2")
    async with editor("vscode") as user:
        user.rename(agent, new)
        titles = await user.lens_titles(await user.open(new))
        assert titles[NEVER] == NOTHING
        [lens] = [one for one in await user.lenses(new.as_uri()) if one.command and one.command.title == "graph"][:1]
        assert "run2" in repr(lens.command)


async def test_a_file_that_is_gone_is_known_again_by_what_is_in_it(tmp_path: Path, model_server: ModelServer) -> None:
    file = Path(shutil.copy(EXAMPLE, tmp_path / "research_agent.py"))
    process = await asyncio.create_subprocess_exec(
        *(RECORD, file.name), cwd=tmp_path, env={**os.environ, **model_server.env}, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    async with editor("vscode") as user:
        await user.until(lambda: ask("ao.runs")["runs"][0].get("version"))
        recorded = await recorded_lines(user, file)
        assert len(recorded) > 3
        copy = Path(shutil.copy(file, tmp_path / "copy.py"))
        assert await recorded_lines(user, copy) == []
        copy.unlink()
        # Nobody tells of it; and it is edited.
        other = tmp_path / "agents" / "research.py"
        other.parent.mkdir()
        file.rename(other)
        other.write_text("# moved\n" + other.read_text("utf-8"), "utf-8")
        assert await recorded_lines(user, other) == [line + 1 for line in recorded]
        another = tmp_path / "unlike.py"
        another.write_text("import openai\nopenai.OpenAI().chat.completions.create(model='m')\n", "utf-8")
        assert await recorded_lines(user, another) == []
