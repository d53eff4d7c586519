"""Which HTTP requests are calls of a model: decided by shape, on any host, local ones included."""

from __future__ import annotations

from ao_lsp.taint.kept import keep

keep(__name__)

# The end of the path of a POST request, and the kind of call that it is.
_ENDINGS = (
    ("/chat/completions", "llm"),
    ("/completions", "llm"),
    ("/responses", "llm"),
    ("/messages", "llm"),
    ("/audio/transcriptions", "llm"),
    ("/audio/translations", "llm"),
    ("/audio/speech", "llm"),
    ("/images/generations", "llm"),
    ("/images/edits", "llm"),
    ("/images/variations", "llm"),
    ("/api/chat", "llm"),
    ("/api/generate", "llm"),
    (":generateContent", "llm"),
    (":streamGenerateContent", "llm"),
    ("/converse", "llm"),
    ("/converse-stream", "llm"),
    ("/invoke", "llm"),
    ("/invoke-with-response-stream", "llm"),
    ("/embeddings", "embedding"),
    ("/api/embed", "embedding"),
    (":embedContent", "embedding"),
    (":batchEmbedContents", "embedding"),
)


def kind_of(method: str, path: str) -> str | None:
    """`llm`, `embedding`, or None for any other request. `path` is without its query."""
    if method != "POST":
        return None
    path = path.rstrip("/")
    for ending, kind in _ENDINGS:
        if path.endswith(ending):
            if ending == "/messages" and not path.endswith("/v1/messages") and path != "/messages":
                continue  # threads, chats and mail have messages too
            if ending == "/invoke" and "/model/" not in path:
                continue  # Bedrock's; others invoke functions
            return kind
    return None
