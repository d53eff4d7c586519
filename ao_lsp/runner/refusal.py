"""What a rerun says of a call that it has no recording of, where the user did not want such calls made as they
come (`--strict`, `--ask`)."""

from __future__ import annotations

import _thread

from ao_lsp.runner import secrets
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_lsp.runner.places import Place

keep(__name__)

_asking = _thread.RLock()
_declined: set[tuple[str, str]] = set()


def of(policy: str, request_hash: str, site: Place | None, url: str) -> str:
    """Why the call at `site` is not made; "" where the user says that it may be."""
    where = f"{site['file']}:{site['line']}" if site else "?"
    what = f"no recording of the call at {where} to {secrets.clean_url(url)}"
    if policy == "strict":
        return f"ao-record --strict: there is {what}; allow such calls with --live or --ask, or record the program anew"
    # One question at a time, and none again where an SDK tries once more what was declined.
    with _asking:
        if (where, request_hash) not in _declined:
            answer = _answer(f"ao-record: there is {what}. Make it? [y/N] ")
            if answer is None:
                return f"ao-record --ask: there is {what}, and no terminal to ask on; allow such calls with --live"
            if answer:
                return ""
            _declined.add((where, request_hash))
    return f"ao-record --ask: there is {what}, and it was declined"


def _answer(question: str) -> bool | None:
    """What is answered on the terminal; None where there is none."""
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(question.encode("utf-8", "replace"))
            return terminal.readline().strip().lower() in (b"y", b"yes")
    except OSError:
        return None
