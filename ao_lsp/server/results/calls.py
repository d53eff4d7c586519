"""Calls, and what reached them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from ao_lsp.server.model import CallStatus, EditField, Evidence, Origin


class FailureJson(TypedDict):
    """Why a run or a call failed."""

    type: Annotated[str, "the name of the error's class"]
    message: str
    file: Annotated[str | None, "where it was raised, if a traceback told"]
    line: int | None


class SiteJson(TypedDict):
    """An expression in the user's source. Python 3.10 tells its first line only."""

    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    function: str


class NodeJson(TypedDict):
    """A call as a node of a graph."""

    id: str
    run: Annotated[str, "the run that it belongs to: it may be a subrun"]
    subrun: Annotated[str | None, "what that is called here, `outer / inner`; null: it is the run itself"]
    number: Annotated[int, "its place in the run, from 1, in order of start"]
    kind: Annotated[str, "`llm`, `embedding`, `mcp`, `tool` or `http`"]
    provider: Annotated[str | None, "known by the host, else by the shape of the API (`openai-compatible`)"]
    model: Annotated[str | None, "as it was asked for; of `mcp` and `tool` the tool, of `http` the method and the host"]
    endpoint: Annotated[str, "the path of the request's URL; of `mcp` and `tool` see [wire.md](wire.md)"]
    status: CallStatus
    origin: Annotated[Origin, "sent, served from a recording, or served from an edit"]
    file: Annotated[str | None, "where it was made; null: in none of the user's files"]
    line: int | None
    end_line: int | None
    function: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: Annotated[int | None, "read from a cache; among the input tokens"]
    reasoning_tokens: Annotated[int | None, "among the output tokens"]
    cost_usd: Annotated[float | None, "see [Cost](commands.md#cost)"]
    duration_s: Annotated[float | None, "null: it goes on"]
    streamed: bool
    thread: str | None
    task: Annotated[str | None, "the name of the asyncio task"]


class StepJson(TypedDict):
    """A line that a value went through."""

    file: str
    line: int


class EdgeJson(TypedDict):
    """Part of the output of one call reached the input of another."""

    source: Annotated[str, "the id of a call"]
    target: Annotated[str, "the id of a call"]
    evidence: Annotated[Evidence, "the value was followed, or its text was found again"]
    path: Annotated[list[StepJson], "the lines that it went through; of a matched edge none"]


class NumberedEdgeJson(EdgeJson):
    """An edge, seen from one of its ends."""

    number: Annotated[int, "of the call at the other end"]


class OutsideJson(EdgeJson):
    """An edge from a call that is not in the run: of the runs around it, or of earlier runs of the session, through
    files that these left behind."""

    run: Annotated[str, "that of the source"]
    number: Annotated[int, "of the source in its run"]
    function: str | None
    file: Annotated[str | None, "where the source was made"]
    line: int | None


class ToolCallJson(TypedDict):
    """A call of a tool that a model wants, or that it is reminded of."""

    id: str | None
    name: str
    arguments: Annotated[str, "JSON, as the model wrote it"]


class MessageJson(TypedDict):
    """A message of a prompt. Images, sound and files are named by their kind, as `[image_url]`."""

    role: str
    text: str
    tool_calls: list[ToolCallJson]


class UsageJson(TypedDict):
    """Tokens, counted alike for every API."""

    input_tokens: int | None
    cached_tokens: Annotated[int | None, "read from a cache; among the input tokens"]
    cache_write_tokens: Annotated[int | None, "written to one; among the input tokens"]
    output_tokens: int | None
    reasoning_tokens: Annotated[int | None, "among the output tokens"]


class OutputJson(TypedDict):
    """What a call gave."""

    text: str | None
    reasoning: Annotated[str | None, "what the API shows of the model's thoughts"]
    tool_calls: list[ToolCallJson]
    finish_reason: str | None
    model: Annotated[str | None, "the model that answered, by its own word"]
    usage: UsageJson


class HttpRequestJson(TypedDict):
    """What was sent, without secrets."""

    method: str
    url: str
    headers: Annotated[list[list[str]], "pairs of name and value"]
    body: Annotated[Any, "JSON where it is JSON, a form by its fields, else text; null: its encoding cannot be undone"]


class HttpResponseJson(TypedDict):
    """What was received."""

    status: Annotated[int | None, "of HTTP"]
    headers: Annotated[list[list[str]], "pairs of name and value"]
    body: Annotated[Any, "as of a request; a stream is put together"]


class BodiesJson(TypedDict):
    """Both bodies byte for byte (base64), without their content encoding where that can be undone."""

    request: str | None
    response: str | None


class EditJson(TypedDict):
    """An edit that counts."""

    call: str
    field: EditField
    created: str
    version: Annotated[int, "how often that field was edited"]
    content: Annotated[str, "what the user wrote"]


class SaidJson(TypedDict):
    """What a call was asked and gave, in words."""

    messages: list[MessageJson]
    output: OutputJson | None


class WholeCallJson(SaidJson):
    """A call, whole."""

    run: Annotated[str, "the run that was asked for"]
    call: NodeJson
    error: FailureJson | None
    request: HttpRequestJson
    response: Annotated[HttpResponseJson | None, "null: none came"]
    sources: Annotated[list[NumberedEdgeJson], "the calls whose outputs it used"]
    targets: Annotated[list[NumberedEdgeJson], "the calls that used its output"]
    outside: list[OutsideJson]
    edits: list[EditJson]
    source_call: Annotated[str | None, "in a rerun: the recorded call that was served"]
    input_edited: bool
    started: str
    first_byte_s: Annotated[float | None, "seconds from its start to the first byte of the answer"]
    complete: Annotated[bool, "false: the program stopped reading, or the answer broke off"]
    site: SiteJson | None
    stack: Annotated[list[SiteJson], "the user's frames, innermost first"]


class RawCallJson(WholeCallJson):
    """A call, whole, and its bodies as they were."""

    raw: BodiesJson


class PassageJson(TypedDict):
    """A passage of an input: code points, `end` is the one behind it."""

    start: int
    end: int
    text: str


class MessagePlaceJson(TypedDict):
    """Where a message stands in the input as one text."""

    role: str
    start: int
    end: int


class HopJson(StepJson):
    """A line that a value went through, with what stands there."""

    function: Annotated[str | None, "by indentation; null outside of functions, and where `text` is"]
    text: Annotated[str | None, "null: the file is gone, or was written after the run began"]


class WhySourceJson(TypedDict):
    """A call whose output is in an input, and how it got there."""

    number: int
    source: str
    target: str
    evidence: Evidence
    path: Annotated[list[HopJson], "from the source's call to this one"]
    call: NodeJson
    certain: Annotated[bool, "false: the passages are too few or too common to tell, or the value was changed"]
    ranges: Annotated[list[PassageJson], "the passages of the input that the source's output says too"]


class WhyJson(TypedDict):
    """Where the input of a call came from."""

    run: str
    call: NodeJson
    messages: list[MessagePlaceJson]
    part: Annotated[PassageJson | None, "the part that was asked for; null: the whole input"]
    sources: list[WhySourceJson]
    outside: list[OutsideJson]


class VariableSourceJson(TypedDict):
    """A call that values of a variable came from, and how they got there."""

    number: int
    call: NodeJson
    path: Annotated[list[HopJson], "from the call's line to the variable's; empty where there were too many to record"]


class VariableJson(TypedDict):
    """A variable whose values came from calls."""

    name: str
    line: Annotated[int, "from 1"]
    column: Annotated[int, "from 0, in code points"]
    defined: Annotated[bool, "it is given its value there; false: it is used"]
    sources: Annotated[list[VariableSourceJson], "in the order of the calls"]


class OriginsJson(TypedDict):
    """Which calls the values of variables came from. What the recording leaves a doubt of is not among them."""

    run: str
    file: str
    variables: Annotated[list[VariableJson], "in the order of the source"]


class MessageChangeJson(TypedDict):
    """A message that is not the same in two runs; tool calls as `name(arguments)`."""

    role: str
    a: Annotated[str | None, "null: it came"]
    b: Annotated[str | None, "null: it went"]


class ValueChangeJson(TypedDict):
    """A parameter that is not the same; null where one side does not say it."""

    a: Any
    b: Any


class TextChangeJson(TypedDict):
    """An output that is not the same, the text with the tool calls below it."""

    a: str | None
    b: str | None


Changed: TypeAlias = Literal["input", "model", "parameters", "output", "status"]


class PairJson(TypedDict):
    """A call of each run; null where the other has no counterpart."""

    verdict: Annotated[Literal["same", "changed", "added", "removed"], "whether the program received the same"]
    input_changed: bool
    changes: Annotated[list[Changed], "what differs; empty where one is missing"]
    a: NodeJson | None
    b: NodeJson | None
    messages: Annotated[list[MessageChangeJson], "of the input"]
    parameters: Annotated[dict[str, ValueChangeJson], "everything else in the request that is not the same"]
    output: Annotated[TextChangeJson | None, "null where it is the same"]
