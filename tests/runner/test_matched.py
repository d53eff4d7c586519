"""A value that leaves the process is lost to tracking, and found again by its text."""

from __future__ import annotations

from model_server import ModelServer

from tests.daemons import ask
from tests.runner.recorded import Programs, graph

PROGRAM = """
    import pathlib
    import subprocess
    import sys

    import openai

    client = openai.OpenAI()
    WORKER = "import sys; open(sys.argv[1], 'w').write('>> ' + sys.stdin.read().upper())"


    def ask(text):
        reply = client.chat.completions.create(model="gpt-5.4", messages=[{"role": "user", "content": text}])
        return reply.choices[0].message.content


    def work(text):
        subprocess.run([sys.executable, "-c", WORKER, "worked.txt"], input=text, text=True, check=True)
        return pathlib.Path("worked.txt").read_text()


    plan = ask("How is a dry stone wall built?")
    ask("Put this in order: " + work(plan))
    ask("Name three sorts of apples for a cold garden.")
    ask("Explain this title: " + plan[:60])
"""


def test_a_value_that_a_child_process_wrote_somewhere_else_gets_an_edge_by_its_text(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(PROGRAM, env=model_server.env)
    found = graph()
    numbers = {node["id"]: node["number"] for node in found["nodes"]}
    edges = {(numbers[edge["source"]], numbers[edge["target"]], edge["evidence"]) for edge in found["edges"]}
    assert edges == {(1, 2, "matched"), (1, 4, "tracked")}
    planned = ask("ao.plan", **{"from": 1, "dry_run": True})
    assert [call["action"] for call in planned["calls"]] == ["live", "live", "replay", "live"]
