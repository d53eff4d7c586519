"""The variables by which SDKs find the hosts of models, and what they mean where they are not set.

As they are read by openai 0 to 3, anthropic, google-genai, groq, ollama, litellm and dspy, and by the command
line that claude-agent-sdk starts.
"""

from __future__ import annotations

import os

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_lsp.runner.gateway import Gateway

keep(__name__)

_DEFAULTS = {
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    "GOOGLE_GEMINI_BASE_URL": "https://generativelanguage.googleapis.com",
    "GROQ_BASE_URL": "https://api.groq.com",
    "OLLAMA_HOST": "http://127.0.0.1:11434",
}

# Other names of the same, which count where the first is not set, and take its value where they are not.
_ALSO = {"OPENAI_API_BASE": "OPENAI_BASE_URL", "OLLAMA_API_BASE": "OLLAMA_HOST"}

# Without a host of their own, or with one that only some SDKs take from here: rerouted where they are set.
_WHERE_SET = (
    "ANTHROPIC_API_BASE", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_VERTEX_BASE_URL", "AZURE_AI_API_BASE",
    "AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT", "DEEPSEEK_API_BASE", "FIREWORKS_API_BASE", "GEMINI_API_BASE",
    "GOOGLE_VERTEX_BASE_URL", "GROQ_API_BASE", "HOSTED_VLLM_API_BASE", "LITELLM_PROXY_API_BASE", "MISTRAL_API_BASE",
    "OPENROUTER_API_BASE", "OPENROUTER_BASE_URL", "PERPLEXITY_API_BASE", "TOGETHER_BASE_URL", "XAI_API_BASE",
)  # fmt: skip


def targets(outer: Gateway | None) -> dict[str, str]:
    """The variables to be set, and the URLs that they stand for now. `outer` is a gateway that they point to
    already, of a run around this one."""
    found: dict[str, str] = {}
    for name, default in _DEFAULTS.items():
        others = [other for other, first in _ALSO.items() if first == name]
        value = next(filter(None, map(os.environ.get, (name, *others))), default)
        found[name] = _url(name, value)
        for other in others:
            found[other] = _url(other, os.environ.get(other) or value)
    for name in _WHERE_SET:
        if os.environ.get(name):
            found[name] = _url(name, os.environ[name])
    if outer is not None:
        found = {name: outer.upstream(url) or url for name, url in found.items()}
    return {name: url for name, url in found.items() if url}


def _url(name: str, value: str) -> str:
    """The value of a variable as URL; "" where it is none."""
    value = value.strip().rstrip("/")
    if name.startswith("OLLAMA") and "://" not in value:
        # A host, with a port or without; what a server listens on is asked at this machine.
        host, _, port = value.rpartition(":") if value.rpartition(":")[2].isdigit() else (value, "", "11434")
        value = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{port}"  # noqa: S104 - not listened on
    scheme, _, rest = value.partition("://")
    return value if scheme in ("http", "https") and rest else ""


def routes(targets: dict[str, str]) -> dict[str, str]:
    """A name for each origin (scheme and host) of `targets`."""
    found: dict[str, str] = {}
    for variable, url in targets.items():
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        if origin not in found.values():
            name = variable.partition("_")[0].lower()
            found[name if name not in found else variable.lower()] = origin
    return found


def bypass_proxy(host: str) -> None:
    """Have clients reach `host` directly also where there is a proxy for everything else."""
    if not any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        return
    for name in ("NO_PROXY", "no_proxy"):
        listed = os.environ.get(name, "")
        if host not in listed.split(","):
            os.environ[name] = f"{listed},{host}" if listed else host
