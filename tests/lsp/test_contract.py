"""What a real server answers and tells is what docs/protocol.schema.json says: every request, command and notification,
on a program that was recorded for real. Fields that the schema does not have count as wrong here."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from model_server import ModelServer

from ao_lsp.server.lsp import panel
from tests.daemons import start, until
from tests.lsp.raw import Raw, client, notification, request
from tests.lsp.test_protocol_doc import SCHEMA
from tests.runner.recorded import Programs, graph

Json = dict[str, Any]

pytestmark = pytest.mark.usefixtures("home")

# Calls of every kind that is at hand: of a model, streamed, failed, of a function, in a subrun.
PROGRAM = """
import ao_lsp, openai

client = openai.OpenAI(max_retries=0)

def plan(topic):
    reply = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": topic}])
    return reply.choices[0].message.content

@ao_lsp.tool
def shout(text):
    return text.upper()

def search(question):
    parts = client.chat.completions.create(
        model="gpt-5-mini", messages=[{"role": "user", "content": question}], stream=True
    )
    return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

def fail():
    try:
        client.chat.completions.create(model="fail-500", messages=[{"role": "user", "content": "x"}])
    except openai.OpenAIError:
        pass

text = plan("a question about geckos")
with ao_lsp.launch("part"):
    search(shout(text))
fail()
ao_lsp.log(result={"score": 1}, note="done")
"""


def strict(schema: Json) -> Json:
    """The schema, which takes no field that it does not know."""
    made = copy.deepcopy(schema)
    for one in made["$defs"].values():
        one["additionalProperties"] = False
    return made


STRICT = strict(SCHEMA)


def check(where: Json, value: Any) -> None:
    Draft202012Validator({**STRICT, **where}).validate(value)


class Editor:
    """An editor that holds everything that it is told to the schema."""

    def __init__(self, raw: Raw) -> None:
        self._raw, self._last = raw, 0
        self.told: dict[str, Any] = {}
        self.asked: set[str] = set()
        capabilities = {"experimental": {"ao": {"version": 1, "content": True}}}
        check(SCHEMA["capabilities"]["client"], capabilities["experimental"]["ao"])
        said = self.send("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        check(SCHEMA["capabilities"]["server"], said["result"]["capabilities"]["experimental"]["ao"])
        self.commands = said["result"]["capabilities"]["executeCommandProvider"]["commands"]
        raw.send(notification("initialized", {}))

    def send(self, method: str, params: Any) -> Json:
        self._last += 1
        self._raw.send(request(self._last, method, params))
        while True:
            message = self.next()
            if message.get("id") == self._last and "method" not in message:
                return message

    def next(self) -> Json:
        message = self._raw.receive()
        assert message is not None, "it ended"
        if message.get("method", "").startswith("$/ao/"):
            check(SCHEMA["methods"][message["method"]]["params"], message["params"])
            self.told[message["method"]] = message["params"]
        if "method" in message and "id" in message:  # it can neither ask its user nor show anything
            error = {"code": -32601, "message": "cannot"}
            self._raw.send({"jsonrpc": "2.0", "id": message["id"], "error": error})
        return message

    def wait_for(self, method: str) -> Any:
        """What a notification says; one that has come already will do."""
        while method not in self.told:
            self.next()
        return self.told[method]

    def ask(self, method: str, **params: Any) -> Any:
        """One of our own requests."""
        check(SCHEMA["methods"][method]["params"], params)
        result = self.send(method, params)["result"]
        check(SCHEMA["methods"][method]["result"], result)
        self.asked.add(method)
        return result

    def run(self, command: str, **params: Any) -> Any:
        """A command."""
        known = {**SCHEMA["commands"], **SCHEMA["editorCommands"]}[command]
        check(known["params"], params)
        answer = self.send("workspace/executeCommand", {"command": command, "arguments": [params]})
        assert "result" in answer, f"{command} {params}: {answer['error']}"
        check(known["result"], answer["result"])
        self.asked.add(command)
        return answer["result"]

    def refused(self, command: str, **params: Any) -> str:
        """The code with which it is refused."""
        error = self.send("workspace/executeCommand", {"command": command, "arguments": [params]})["error"]
        check(SCHEMA["errors"]["data"], error["data"])
        assert error["data"]["code"] in SCHEMA["errors"]["codes"]
        return str(error["data"]["code"])


def test_every_answer_and_notification_is_as_the_schema_says(tmp_path: Path, model_server: ModelServer) -> None:
    start()
    programs = Programs(tmp_path)
    programs.record(PROGRAM, "--name", "before", env=model_server.env)
    until(lambda: graph()["run"]["version"], "no version was taken")
    with client(model_server.env) as raw:
        editor = Editor(raw)
        read(editor, tmp_path)
        change(editor)
        look_at_the_code(editor, tmp_path)
        remove(editor)
        assert set(editor.commands) == {*SCHEMA["commands"], *SCHEMA["aliases"]}
        assert editor.asked == {*panel.METHODS, *SCHEMA["commands"]}
        assert editor.told.keys() == panel.NOTIFICATIONS.keys()


def read(editor: Editor, folder: Path) -> None:
    shown = editor.ask("ao/graph", run="last")
    calls = [node["number"] for node in shown["nodes"]]
    assert [node["status"] for node in shown["nodes"]].count("error") == 1
    assert {node["kind"] for node in shown["nodes"]} == {"llm", "tool"}
    assert shown["edges"]
    for form in ("text", "mermaid", "dot", "svg"):
        editor.ask("ao/graph", run="last", format=form)
        editor.run("ao.graph", format=form, open=True)
    editor.run("ao.graph", open=True)
    for run in ("last", shown["subruns"][0]["id"]):
        assert editor.ask("ao/graph", run=run)["run"]["result"] == ({"score": 1} if run == "last" else None)
    for number in calls:
        editor.ask("ao/call", call=number)
        editor.run("ao.call", call=number, raw=True)
        editor.run("ao.why", call=number)
        editor.ask("ao/locate", call=number)
        editor.run("ao.openPrompt", call=number)
        editor.run("ao.openOutput", call=number, format="json")
    editor.run("ao.call", call=1, open=True)
    assert editor.run("ao.origins", file=str(folder / "program.py"))
    assert editor.run("ao.chooseCall", call=1)["call"] == shown["nodes"][0]["id"]
    editor.run("ao.why", call=1, start=0, end=5)
    editor.ask("ao/runs")
    assert editor.ask("ao/runs", grep="geckos")["runs"][0]["matches"]
    editor.run("ao.runs", limit=1)
    found = editor.ask("ao/events", run="last")
    assert found["changes"]
    assert "snapshot" in editor.ask("ao/events", session=found["session"], after=10**6)
    uri = editor.run("ao.openPrompt", call=1)["uri"]
    assert "geckos" in editor.ask("ao/content", uri=uri)["text"]
    editor.run("ao.content", uri=uri)
    editor.run("ao.export", format="otlp")
    editor.run("ao.record", file=str(folder / "program.py"))
    assert editor.run("ao.status")["quiescent"]
    assert editor.wait_for("$/ao/status")["health"] == "ok"


def change(editor: Editor) -> None:
    """Edit and rerun; whoever looks on hears of it."""
    run, call = graph()["run"]["id"], graph()["nodes"][0]["id"]
    graph_text = editor.run("ao.graph", run=run, format="text", open=True)["uri"]
    editor.ask("ao/content", uri=graph_text)
    editor.run("ao.editOutput", run=run, call=call)
    editor.run("ao.editInput", run=run, call=call)
    editor.run("ao.edit", run=run, call=call, content="one edited question")
    assert editor.wait_for("$/ao/graphDidChange")["run"] == run
    editor.run("ao.unedit", run=run, call=call)
    editor.run("ao.edit", run=run, call=call, content="one edited question")
    editor.run("ao.plan", run=run, dry_run=True)
    editor.run("ao.plan", run=run)
    rerun = editor.run("ao.rerun", run=run, wait=True)
    assert rerun["exit_code"] == 0
    editor.run("ao.output", run=rerun["run"])
    editor.run("ao.openLog", run=rerun["run"])
    assert editor.run("ao.diff", a=run, b=rerun["run"])["counts"]["changed"]
    editor.run("ao.openDiff", b=rerun["run"])
    again = editor.run("ao.rerunFrom", run=run, call=call)
    editor.run("ao.stop", run=again["run"])


def look_at_the_code(editor: Editor, folder: Path) -> None:
    run = editor.run("ao.runs", name="before")["runs"][-1]["id"]
    editor.run("ao.versions")
    editor.run("ao.show", version=run)
    editor.run("ao.show", version=run, file="program.py")
    editor.run("ao.openCode", version=run, file="program.py")
    file = folder / "program.py"
    file.write_text("# new\n" + file.read_text())
    assert editor.run("ao.diffCode", a=run)["files"][0]["status"] == "changed"
    editor.run("ao.checkout", version=run, folder=str(folder / "old"))


def remove(editor: Editor) -> None:
    runs = [run["id"] for run in editor.run("ao.runs")["runs"] if run["subrun_of"] is None]
    text = editor.run("ao.openPrompt", run=runs[-1], call=1)["uri"]
    editor.ask("ao/content", uri=text)
    editor.told.pop("$/ao/contentDidChange", None)
    until(lambda: editor.run("ao.status")["quiescent"], "something goes on running")
    editor.run("ao.rm", runs=runs)
    editor.wait_for("$/ao/contentDidChange")
    assert editor.refused("ao.graph") == "not_found"
    assert editor.refused("ao.graph", rum="last") == "bad_params"
    assert editor.refused("ao.edit", call=1, content="x") == "not_found"


def test_what_lenses_and_actions_offer_are_commands_with_parameters_that_they_take(
    tmp_path: Path, model_server: ModelServer
) -> None:
    start()
    programs = Programs(tmp_path)
    programs.record(PROGRAM, env=model_server.env)
    file = tmp_path / "program.py"
    with client() as raw:
        editor = Editor(raw)
        editor.run("ao.edit", call=1, content="edited")
        item = {"uri": file.as_uri(), "languageId": "python", "version": 1}
        raw.send(
            notification("textDocument/didOpen", {"textDocument": {**item, "text": file.read_text() + "plan(1)\n"}})
        )
        document = {"textDocument": {"uri": file.as_uri()}}
        lenses = editor.send("textDocument/codeLens", document)["result"]
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": 1000, "character": 0}}
        actions = editor.send("textDocument/codeAction", {**document, "range": whole, "context": {"diagnostics": []}})
        offered = [lens["command"] for lens in lenses] + actions["result"]
        named = {one["command"] for one in offered}
        assert {"ao.rerunFrom", "ao.editOutput", "ao.editInput", "ao.unedit", "ao.graph"} <= named
        for one in offered:
            (argument,) = one["arguments"]
            check({**SCHEMA["commands"], **SCHEMA["editorCommands"]}[one["command"]]["params"], argument)
