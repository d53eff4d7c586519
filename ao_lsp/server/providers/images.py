"""OpenAI's images: generated, edited, varied. The images themselves are opaque.

https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

from collections.abc import Sequence

from ao_lsp.server.providers.shape import (
    EditError,
    Json,
    Message,
    Response,
    count_of,
    error_of,
    items,
    mapping,
    need_list,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return "created" in given and isinstance(given.get("data"), list)


def prompt(request: Json) -> tuple[Message, ...]:
    given = request.get("image")
    images = [image for image in (given if isinstance(given, list) else [given]) if isinstance(image, str)]
    lines = [text_of(request.get("prompt")), *(image if image.startswith("[") else "[image]" for image in images)]
    text = "\n".join(filter(None, lines))
    return (Message("user", text),) if text else ()


def output(response: Json) -> Response:
    usage = mapping(response.get("usage"))
    images = items(response.get("data"))
    # What the model made of the prompt is the only text there is; where an image lies is one, too.
    said = [text_of(image.get("revised_prompt")) or text_of(image.get("url")) or "[image]" for image in images]
    return Response(
        text="\n".join(said) or None,
        input_tokens=count_of(usage.get("input_tokens")),
        cached_tokens=count_of(mapping(usage.get("input_tokens_details")).get("cached_tokens")),
        output_tokens=count_of(usage.get("output_tokens")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    """The images that are whole; those on the way to them are left out."""
    whole = [json for json in (event.json for event in events) if str(json.get("type", "")).endswith(".completed")]
    failed = [json for json in (event.json for event in events) if "error" in json]
    if not whole:
        return failed[-1] if failed else None
    image = {key: value for key, value in whole[-1].items() if key in ("b64_json", "revised_prompt")}
    return {"created": whole[-1].get("created_at"), "data": [image], "usage": whole[-1].get("usage")}


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    whole = [event for event in recorded if str(event.json.get("type", "")).endswith(".completed")]
    images = items(response.get("data"))
    if len(images) != 1 or not whole:
        raise EditError("a stream has one image")
    usage = {"usage": response["usage"]} if response.get("usage") is not None else {}
    return [Event.of(whole[-1].name, {**whole[-1].json, **images[0], **usage})]


def with_text(response: Json, text: str) -> Json:  # noqa: ARG001 - every shape is asked
    raise EditError("images have no text: give the whole response as JSON")


def check(response: Json) -> None:
    for number, image in enumerate(need_list(response, "data", of="images")):
        if not isinstance(image.get("b64_json"), str) and not isinstance(image.get("url"), str):
            raise EditError(f'"data[{number}]" must have "b64_json" or "url"')
