"""A rerun on old code: the program stands in a scratch folder, and what is recorded speaks of the project.

Loaded in such a rerun only. `paths.moved` says which folder stands for which; places (places.py), draws (draws.py) and
the cache of bytecode (taint/pyc.py) know it, so that recordings are found; here is the rest.
"""

from __future__ import annotations

import os
import sys

from ao_lsp import paths
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)

_INSTALLED = (os.sep + "site-packages", os.sep + "dist-packages")


def begin() -> None:
    """Have the program import its old code, too, where the environment names the project's folders: by a `.pth` file,
    PYTHONPATH, or the finder of an editable install."""
    sys.path[:] = [_old(entry) for entry in sys.path]
    for finder in list(sys.meta_path):
        module = getattr(finder, "__module__", "")
        mapping = getattr(sys.modules.get(module), "MAPPING", None)
        if module.startswith("__editable__") and type(mapping) is dict:  # as setuptools makes them
            for name, place in list(mapping.items()):
                mapping[name] = _old(place)


def _old(place: str) -> str:
    """The old state of a folder or file of the project; any other place as it is."""
    found = paths.moved()
    if found is None or type(place) is not str or not place.startswith(found[1] + os.sep):
        return place
    old = found[0] + place[len(found[1]) :]
    # What is reached by a link is the project's own as it is now: environments are.
    is_old = os.path.exists(old) and os.path.realpath(old) == old
    return place if any(part in place for part in _INSTALLED) or not is_old else old


def event(event: dict[str, Any], parts: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """An event as it would be if the program stood in its project. What really went over the wire stays as it is."""
    if event.get("type") == "call.start" and event.get("origin") == "replayed" and "request" in parts:
        parts = {**parts, "request": body(parts["request"])}
    return _said(event), parts


def _said(value: Any) -> Any:
    found = paths.moved()
    if type(value) is str:
        return value if found is None else value.replace(*found)
    if type(value) is dict:
        return {name: _said(each) for name, each in value.items()}
    return [_said(each) for each in value] if type(value) in (list, tuple) else value


def body(data: bytes) -> bytes:
    """A body that speaks of the project where it speaks of the scratch folder, plainly or in JSON."""
    found = paths.moved()
    if found is None:
        return data
    scratch, place = found
    data = data.replace(os.fsencode(scratch), os.fsencode(place))
    return data.replace(_escaped(scratch), _escaped(place))


def _escaped(text: str) -> bytes:
    from ao_lsp import protocol

    return protocol.dumps(text)[1:-1]
