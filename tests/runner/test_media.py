"""Images and sound, made and understood with the `openai` SDK: recorded, read, edited and replayed, as opaque parts."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ao_lsp.cli.client import CommandError
from tests.daemons import ask
from tests.runner.recorded import Programs, column, edges, graph
from tests.runner.test_replay import edit

SOUND = bytes(range(256)) * 64
IMAGE = base64.b64encode(b"\x89PNG" + SOUND).decode()
TRANSCRIBED = {"text": "Meet me at the harbour at nine.", "usage": {"type": "tokens", "input_tokens": 14,
               "output_tokens": 9, "total_tokens": 23}}  # fmt: skip
DRAWN = {
    "created": 1,
    "data": [{"b64_json": IMAGE, "revised_prompt": "A quiet harbour"}],
    "usage": {"input_tokens": 7, "output_tokens": 90, "total_tokens": 97, "input_tokens_details": {
              "text_tokens": 7, "image_tokens": 0}},
}  # fmt: skip
HEARD = [
    {"type": "transcript.text.delta", "delta": "Meet me at "},
    {"type": "transcript.text.delta", "delta": "the harbour."},
    {"type": "transcript.text.done", "text": "Meet me at the harbour.", "usage": TRANSCRIBED["usage"]},
]


class _Studio(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, body))
        kind, answer = "application/json", json.dumps(self._answer(body)).encode()
        if self.path.endswith("speech"):
            kind, answer = "audio/mpeg", SOUND
        elif b'name="response_format"\r\n\r\ntext' in body:
            kind, answer = "text/plain; charset=utf-8", b"Meet me at the harbour at nine.\n"
        elif b'name="stream"\r\n\r\ntrue' in body:
            kind = "text/event-stream"
            answer = "".join(f"data: {json.dumps(event)}\n\n" for event in HEARD).encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, body: bytes) -> Any:
        if "images" in self.path:
            return DRAWN
        if "chat" in self.path:
            message = {"role": "assistant", "content": "Noted: " + json.loads(body)["messages"][0]["content"]}
            return {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip
        return TRANSCRIBED

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called in the base class
        pass


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Studio)


@pytest.fixture
def studio() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def env(studio: _Server) -> dict[str, str]:
    return {"OPENAI_BASE_URL": f"http://127.0.0.1:{studio.server_address[1]}/v1", "OPENAI_API_KEY": "any"}


PROGRAM = """
    import asyncio, base64, hashlib, io
    import openai

    client = openai.OpenAI()
    open("note.wav", "wb").write(b"sound" * 5000)


    def ask(text):
        said = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
        return said.choices[0].message.content


    with open("note.wav", "rb") as file:
        heard = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file).text
    print(ask("Sum up: " + heard))
    plain = client.audio.transcriptions.create(model="whisper-1", file=("b.wav", b"other"), response_format="text")
    print(ask("And this: " + plain))
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("c.wav", b"c"), stream=True)
    print([event.delta for event in stream if event.type == "transcript.text.delta"])
    image = client.images.generate(model="gpt-image-1", prompt="Draw: " + heard).data[0]
    print(image.revised_prompt, hashlib.sha256(base64.b64decode(image.b64_json)).hexdigest())
    changed = client.images.edit(model="gpt-image-1", prompt="at night", image=("a.png", b"png" * 3000))
    print(len(changed.data))


    async def speak():
        async with openai.AsyncOpenAI() as client:
            spoken = await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello there")
            print(hashlib.sha256(spoken.content).hexdigest())
            print((await client.audio.translations.create(model="whisper-1", file=("d.wav", b"d" * 70000))).text)

    asyncio.run(speak())
"""


def test_images_and_sound_are_recorded_read_and_replayed(programs: Programs, studio: _Server) -> None:
    file = programs.write(PROGRAM)
    plain = subprocess.run(
        [sys.executable, file], cwd=programs.folder, env={**os.environ, **env(studio)}, capture_output=True, check=True
    )
    studio.asked.clear()
    out, err = programs.record(PROGRAM, "--name", "first", env=env(studio))
    assert (out.encode(), err.encode()) == (plain.stdout, plain.stderr)
    found = graph("first")
    paths = [path.removeprefix("/v1") for path, _ in studio.asked]
    assert [endpoint.removeprefix("/v1") for endpoint in column(found, "endpoint")] == paths
    assert column(found, "model") == [
        "gpt-4o-transcribe", "m", "whisper-1", "m", "gpt-4o-transcribe", "gpt-image-1", "gpt-image-1", "tts-1",
        "whisper-1",
    ]  # fmt: skip
    assert column(found, "streamed") == [False] * 4 + [True] + [False] * 4
    assert column(found, "output_tokens") == [9, None, None, None, 9, 90, 90, None, 9]
    assert edges(found) == {(1, 2), (3, 4), (1, 6)}

    asked = list(studio.asked)
    assert programs.rerun("first", env=env(studio)) == out
    assert studio.asked == asked
    assert set(column(graph(), "origin")) == {"replayed"}


def test_what_is_no_text_is_named(programs: Programs, studio: _Server) -> None:
    programs.record(PROGRAM, env=env(studio))
    transcribed, speech, image = (ask("ao.call", call=call) for call in (1, 8, 6))
    assert transcribed["request"]["body"] == {"model": "gpt-4o-transcribe", "file": "[note.wav, 25000 bytes]"}
    assert transcribed["messages"][-1]["text"] == "[note.wav, 25000 bytes]"
    assert transcribed["output"]["text"] == TRANSCRIBED["text"]
    assert speech["messages"][0]["text"] == "Hello there"
    assert speech["response"]["body"] == f"[audio/mpeg, {len(SOUND)} bytes]"
    assert image["output"]["text"] == "A quiet harbour"


@pytest.mark.parametrize(("call", "follows"), [(1, "Noted: Sum up: "), (3, "Noted: And this: ")])
def test_an_edited_transcript_arrives(call: int, follows: str, programs: Programs, studio: _Server) -> None:
    programs.record(PROGRAM, env=env(studio))
    edit("last", call, "output", "Stay at home.")
    out = programs.rerun("last", env=env(studio))
    assert f"{follows}Stay at home." in out


def test_an_edited_transcript_arrives_in_pieces_where_it_was_streamed(programs: Programs, studio: _Server) -> None:
    programs.record(PROGRAM, env=env(studio))
    edit("last", 5, "output", "Stay at home, please do.")
    lines = programs.rerun("last", env=env(studio)).splitlines()
    pieces = ast.literal_eval(next(line for line in lines if line.startswith("[")))
    assert "".join(pieces) == "Stay at home, please do."
    assert len(pieces) > 1


@pytest.mark.parametrize(
    ("call", "field", "reason"),
    [
        (8, "output", "cannot be read"),
        (6, "output", "images have no text"),
        (1, "input", "a form with files"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_the_reason(
    call: int, field: str, reason: str, programs: Programs, studio: _Server
) -> None:
    programs.record(PROGRAM, env=env(studio))
    with pytest.raises(CommandError, match=reason):
        ask("ao.edit", call=call, field=field, content="Something else")
