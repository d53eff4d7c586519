"""What is drawn by chance comes back in a rerun, up to the fork: as the user's code asks for it, and only then."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import until
from tests.runner.recorded import Programs, column, graph

# Before the SDK is imported, and after; in threads, tasks and a child.
EVERYTHING = """
    import time
    from time import time as clock
    import datetime, os, random, secrets, sys, uuid
    from datetime import date
    from uuid import uuid4 as identifier

    EARLY = f"{time.time()} {clock()} {identifier()} {random.random()} {random.Random().random()}"

    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    import openai

    client = openai.OpenAI(max_retries=0)

    def ask(text):
        sys.stdout.write(text + "\\n")
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])

    now, utc = datetime.datetime.now, datetime.timezone.utc
    ask(EARLY)
    ask(f"{now()} {now(utc)} {now(tz=None)} {datetime.datetime.today()} {date.today()} {time.time_ns()}")
    ask(f"{time.localtime()} {time.gmtime(None)} {time.ctime()} {time.asctime()} {time.strftime('%H:%M:%S')}")
    ask(f"{uuid.uuid1()} {uuid.uuid4()} {os.urandom(4)} {secrets.token_hex()} {secrets.token_bytes(3)}")
    documents = list(range(20))
    random.shuffle(documents)
    ask(f"{documents} {random.choice(documents)} {random.gauss()} {random.getrandbits(9)} {random.Random().random()}")
    ask(f"{secrets.choice(documents)} {secrets.randbelow(99)} {secrets.token_urlsafe()} {secrets.randbits(70)}")
    ask(f"{random.SystemRandom().sample(documents, 5)}")

    def work(number):
        mine = [number] + [random.random() for _ in range(9)]
        random.shuffle(mine)
        ask(f"{mine} {uuid.uuid4()} {time.time()} {random.getstate()[1][0]}")

    async def main():
        async with openai.AsyncOpenAI() as client:
            async def step(number):
                await asyncio.sleep(random.random() / 50)
                text = f"{number} {random.random()} {time.time()} {identifier()}"
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
                return text

            print(*await asyncio.gather(*map(step, range(5))), sep="\\n")

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(work, range(8)):
            pass
    asyncio.run(main())
    sys.stdout.flush()
    if os.fork() == 0:
        ask(f"{identifier()} {random.random()} {random.Random().random()}")
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    ask(f"{identifier()} {random.random()}")
"""


def lines(out: str) -> list[str]:
    """What threads said, in any order."""
    return sorted(out.splitlines())


def test_everything_that_the_users_code_draws_comes_back_so_that_nothing_is_asked_again(
    programs: Programs, model_server: ModelServer
) -> None:
    out, err = programs.record(EVERYTHING, "--name", "first", env=model_server.env)
    asked = len(model_server.requests)
    assert err == ""
    assert asked == 22
    assert lines(programs.rerun("first", "--strict", env=model_server.env)) == lines(out)
    # And of the rerun, too.
    assert lines(programs.rerun("last", "--strict", env=model_server.env)) == lines(out)
    assert len(model_server.requests) == asked
    assert set(column(graph(), "origin")) == {"replayed"}


def test_from_the_fork_on_chance_has_its_way_and_that_comes_back_as_well(
    programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import os, random, secrets, threading, uuid
        import openai

        def draw():
            return random.random(), uuid.uuid4().hex, secrets.token_hex(4), random.Random().random()

        def ask(text):
            openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": text}])

        def work():
            print(draw())
            ask("second")
            print(draw())

        print(draw())
        ask("first")
        print(draw())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print(draw())
        random.seed(1)
        print(random.random())
    """
    before = programs.record(source, "--name", "first", env=model_server.env)[0].splitlines()
    forked = programs.rerun("first", "--from", "2", env=model_server.env).splitlines()
    assert forked[:3] == before[:3]
    for one, other in zip(forked[3:5], before[3:5], strict=True):
        assert all(mine != its for mine, its in zip(eval(one), eval(other), strict=True))
    assert forked[5:] == before[5:]
    assert programs.rerun("last", "--strict", env=model_server.env).splitlines() == forked


def test_a_generator_that_the_program_seeds_is_its_own(programs: Programs) -> None:
    source = """
        import random, sys
        if len(sys.argv) == 1:
            import httpx  # recorded calls are possible from here on
        import threading
        random.seed(7)
        print(random.random(), random.choice("abcdefgh"), random.Random(3).random(), random.Random("x").gauss())

        def work():
            print(random.random(), random.sample(range(100), 3))
            state = random.getstate()
            print([random.random() for _ in range(3)])
            random.setstate(state)
            print([random.random() for _ in range(3)])

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print(random.random())
    """
    file = programs.write(source)
    plain = subprocess.run([sys.executable, file, "plain"], capture_output=True, text=True, check=True).stdout
    assert programs.record(source, "--name", "first") == (plain, "")
    assert programs.rerun("first") == plain
    # And where it takes back a state that it never seeded, in a strand that has a generator to itself.
    unseeded = source.replace("random.seed(7)\n", "pass\n")
    out = programs.record(unseeded)[0].splitlines()
    assert out[2] == out[3]
    assert out != plain.splitlines()


def test_what_library_code_draws_is_its_own_affair(programs: Programs, tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "library.py").write_text(
        "import time, uuid\ndef draw(): return uuid.uuid4().hex\ndef old(): return time.time()"
    )
    source = "import httpx, library, uuid\nprint(uuid.uuid4().hex)\nprint(library.draw())"
    env = {"PYTHONPATH": str(folder)}
    before = programs.record(source, env=env)[0].splitlines()
    after = programs.rerun("last", env=env).splitlines()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_the_clock_of_a_rerun_goes_on_from_where_the_recording_was(programs: Programs, home: str) -> None:
    source = "import time\nfirst = time.time()\nimport httpx\nprint(time.time() - first{})"
    programs.record(source.format(""), "--name", "first")
    until(lambda: graph()["run"]["status"] == "finished", "the run is not stored")
    with sqlite3.connect(Path(home, "data", "ao.db")) as db:  # a day later
        ((drawn,),) = db.execute("SELECT drawn FROM draws").fetchall()
        said = json.loads(drawn)
        said["clock"] -= 86400
        for group in said["values"]:
            group[-1] = [value - 86400 for value in group[-1]]
        db.execute("UPDATE draws SET drawn = ?", (json.dumps(said),))
    db.close()
    # A place that was not in the recording, before one that was.
    programs.write(source.format(", time.time() - first, time.time_ns() / 1e9 - first, time.time() > first + 9"))
    passed = programs.rerun("first").split()
    assert all(0 <= float(seconds) < 3600 for seconds in passed[:3])
    assert passed[3] == "False"


def test_a_program_that_asks_for_something_else_by_now_gets_that(programs: Programs, home: str) -> None:
    source = """
        import httpx
        import os, random, secrets, time, uuid
        n = int(os.environ["N"])
        print(len(os.urandom(n)), len(secrets.token_hex(n)), len(secrets.token_bytes(n)), secrets.randbelow(n) < n,
              len(secrets.token_urlsafe(n)), secrets.choice(range(n)) < n, secrets.randbits(n) < 2**n,
              random.random() < 1, time.time() > 1e9, time.time_ns() > 1e18, uuid.uuid4().version, end=" ")
    """
    assert programs.record(source, env={"N": "400"})[0] == "400 800 400 True 534 True True True True True 4 "
    assert programs.rerun("last", env={"N": "3"}) == "3 6 3 True 4 True True True True True 4 "
    # And where the recording makes no sense.
    until(lambda: graph()["run"]["status"] == "finished", "the run is not stored")
    with sqlite3.connect(Path(home, "data", "ao.db")) as db:
        for value in ("zz", 7, 1.5):
            said = json.loads(db.execute("SELECT drawn FROM draws ORDER BY rowid DESC").fetchone()[0])
            for group in said["values"]:
                group[-1] = [value]
            db.execute("UPDATE draws SET drawn = ?", (json.dumps(said),))
            db.commit()
            assert programs.rerun("last", env={"N": "3"}).startswith("3 6 3 True 4 True True True")
    db.close()


def test_a_loop_records_a_bounded_number_of_values(programs: Programs, home: str) -> None:
    source = """
        import time, uuid
        for _ in range(5000): time.time()
        import httpx
        for _ in range(5000): time.time(), uuid.uuid4()
        print(uuid.uuid4())
    """
    out, _ = programs.record(source)
    assert programs.rerun("last") == out
    values: dict[str, int] = {}
    for (drawn,) in sqlite3_rows(home):
        for *key, found in json.loads(drawn)["values"]:
            values[json.dumps(key)] = values.get(json.dumps(key), 0) + len(found)
    assert sorted(values.values()) == [2, 2000, 2000, 2000]  # of both runs


def sqlite3_rows(home: str) -> list[tuple[str]]:
    db = sqlite3.connect(Path(home, "data", "ao.db"))
    try:
        return db.execute("SELECT drawn FROM draws ORDER BY rowid").fetchall()
    finally:
        db.close()


def test_a_killed_program_leaves_what_it_drew_before_its_last_call(
    programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import os, signal, sys, uuid
        import openai
        text = str(uuid.uuid4())
        print(text, flush=True)
        openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
        if "SURVIVE" not in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    out, _ = programs.record(source, env=model_server.env, code=-signal.SIGKILL)
    until(lambda: graph()["run"]["status"] == "killed", "the run is not ended")
    assert programs.rerun("last", "--strict", env={**model_server.env, "SURVIVE": "1"}) == out


def test_without_tracking_a_generator_that_nobody_seeds_comes_back(programs: Programs) -> None:
    source = "import random\nprint(random.random(), random.sample(range(1000), 9))"
    out, _ = programs.record(source, "--no-taint")
    assert programs.rerun("last") == out
    assert programs.record(source, "--no-taint")[0] != out


def test_models_of_functions_look_like_them(programs: Programs) -> None:
    """Errors, warnings and odd arguments are those of the functions themselves."""
    source = """
        import sys, warnings
        if len(sys.argv) == 1:
            import httpx
        import datetime, os, random, secrets, time, uuid
        warnings.simplefilter("always")
        for call in (
            lambda: datetime.datetime.now(1, 2), lambda: datetime.datetime.now("x"), lambda: datetime.date.today(1),
            lambda: datetime.datetime.now(zone=1), lambda: time.time(1), lambda: time.time_ns(1),
            lambda: time.localtime("x"), lambda: time.localtime(0), lambda: time.gmtime(86400), lambda: time.ctime(0),
            lambda: time.strftime(1), lambda: time.strftime("%Y", (2001, 2, 3, 4, 5, 6, 7, 8, 0)),
            lambda: time.asctime((2001, 2, 3, 4, 5, 6, 0, 8, 0)), lambda: os.urandom(-1), lambda: os.urandom(0),
            lambda: secrets.choice([]), lambda: secrets.randbelow(0), lambda: secrets.choice([1]),
            lambda: secrets.randbits(-1), lambda: uuid.uuid4(1), lambda: random.choice([]), lambda: random.random(1),
            lambda: random.Random([]), lambda: random.seed(1, 2, 3), lambda: random.setstate(1),
            lambda: random.SystemRandom().seed(), lambda: random.SystemRandom().getstate(),
            lambda: type(datetime.datetime.now()), lambda: datetime.datetime.now(datetime.timezone.utc).tzinfo,
            lambda: type(time.localtime()), lambda: type(uuid.uuid4()), lambda: uuid.uuid4().version,
        ):
            try:
                print(call())
            except Exception as error:
                print(type(error), error, error.__traceback__.tb_next.tb_next is None)
        class Moment(datetime.datetime):
            pass
        print(type(Moment.now()), type(Moment.today()), random.seed.__name__, random.seed.__self__ is random._inst)
        datetime.datetime.utcnow()
    """
    file = programs.write(source)
    plain = subprocess.run([sys.executable, file, "plain"], capture_output=True, text=True, check=True)
    assert programs.record(source) == (plain.stdout, plain.stderr)


@pytest.mark.parametrize("fails", [False, True])
def test_a_daemon_or_none_it_is_the_same_to_the_program(fails: bool, programs: Programs) -> None:
    env = {"AO_HOME": "/dev/null/ao"} if fails else {}
    out, err = programs.record("import uuid, random, httpx\nprint(uuid.uuid4(), random.random())", env=env)
    assert re.fullmatch(r"[0-9a-f-]{36} 0\.\d+(e-\d+)?\n", out)
    assert err == ""
