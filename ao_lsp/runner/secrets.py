"""What must never reach the disk, and what of the environment may."""

from __future__ import annotations

import os

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

keep(__name__)

REMOVED = "[removed]"

# A header, query parameter or variable whose name holds one of these carries a secret, or may.
_SECRET = ("auth", "key", "token", "secret", "cookie", "credential", "password", "passwd", "signature", "session")
_SECRET_PARAMETERS = frozenset({"sig", "code", "pass", "pwd"})

# What is left of a count of a model's tokens ("x-ratelimit-remaining-tokens"), by its name and by its value: SDKs and
# programs read it from a response to know how long to wait.
_COUNTS = ("tokens", "token-count")
_OF_COUNTS = frozenset("0123456789.,:;+-=%nuµmshdwTZ ")
_LONGEST_COUNT = 40

# Variables that decide what a program does and hold no secret. All others stay out of the record;
# a rerun takes them from the environment it is started in.
_KEPT = frozenset({"VIRTUAL_ENV", "TZ", "LANG", "AO_VERSIONS"})
_KEPT_PREFIXES = ("PYTHON", "LC_")
_KEPT_ENDINGS = ("_BASE_URL", "_API_BASE", "_ENDPOINT", "_API_VERSION", "_MODEL")


def is_secret(name: str) -> bool:
    """Whether something of this name may be a secret."""
    lowered = name.lower()
    return lowered in _SECRET_PARAMETERS or any(part in lowered for part in _SECRET)


def _is_count(name: str, value: str) -> bool:
    """Whether a header only says how many tokens of a model's there are, or when there are more: `149984`, `6m0s`,
    `100;w=60`, a date."""
    lowered = name.lower()
    for count in _COUNTS:
        lowered = lowered.replace(count, "")
    return value[:1].isdigit() and len(value) <= _LONGEST_COUNT and set(value) <= _OF_COUNTS and not is_secret(lowered)


# Fields, of JSON or a form, in which services ask for and hand out what opens them.
_SECRET_FIELD = (
    rb"[\"'&?\s{,](access_token|refresh_token|id_token|client_secret|client_assertion|password|passwd|private_key"
    rb"|secretaccesskey|api_key|apikey)[\"']?\s*[:=]"
)


def holds_secret(body: bytes) -> bool:
    """Whether a body has a field that holds a secret by its name."""
    import re

    return re.search(_SECRET_FIELD, b"&" + body, re.IGNORECASE) is not None


_known: set[str] = set()
"""Values that have been removed, so that they are known where they stand in a sentence."""
_MOST_KNOWN = 1000
_SHORTEST_KNOWN = 6


def _removed(value: str) -> str:
    """What stands in the place of `value`, which is known from now on."""
    for part in (value, value.rpartition(" ")[2]):  # "Bearer …"
        if len(part) >= _SHORTEST_KNOWN and part != REMOVED and len(_known) < _MOST_KNOWN:
            _known.add(part)
    return REMOVED


def clean_headers(headers: list[tuple[str, str]]) -> list[list[str]]:
    """`[name, value]` pairs, the values of secrets removed, and those in addresses."""
    return [[name, _clean_header(name, value)] for name, value in headers]


def _clean_header(name: str, value: str) -> str:
    if is_secret(name) and not _is_count(name, value):
        return _removed(value)
    return clean_url(value) if "://" in value else value


def clean_text(text: str) -> str:
    """A sentence of somebody's (an exception's message) without the secrets that are known and those that stand
    in an address."""
    for name, value in os.environ.items():
        if is_secret(name):
            _removed(value)
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, REMOVED)
    import re

    text = re.sub(r"(?<=://)[^/\s@'\"]+@", "", text)
    text = re.sub(r"(?i)\b(bearer|basic) [\w.~+/=-]{6,}", r"\1 " + REMOVED, text)
    return re.sub(r"([?&]([\w.-]+)=)[^&\s'\"<>)]+", _parameter, text)


def _parameter(found: Match[str]) -> str:
    return found[1] + REMOVED if is_secret(found[2]) else found[0]


def message_of(error: BaseException) -> str:
    """What an exception says, up to 2000 characters of it; "" where it cannot say it."""
    try:
        return clean_text(str(error)[:2000])
    except Exception:
        return ""


def clean_url(url: str) -> str:
    """`url` without user, password and the values of secret parameters."""
    scheme, separator, rest = url.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        if at:
            _removed(user.partition(":")[2])
        url = scheme + separator + host + slash + path
    address, mark, query = url.partition("?")
    if not mark:
        return url
    pairs = []
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        pairs.append(name + equals + _removed(value) if equals and is_secret(name) else pair)
    return address + mark + "&".join(pairs)


def environment() -> dict[str, str]:
    """The part of the environment that is recorded."""
    return {
        name: clean_url(value) if "://" in value else value
        for name, value in os.environ.items()
        if (name in _KEPT or name.startswith(_KEPT_PREFIXES) or name.endswith(_KEPT_ENDINGS))
        and not is_secret(name.removesuffix("_MODEL"))
    }
