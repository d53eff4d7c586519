"""JSON, which is how values travel between most calls: exact through `loads` with hooks, and through
`loads(dumps(value))`.

A text of several sources carries the origins of all of them (characters do not have origins of their
own), so parsing it again would give every leaf all origins. For a text that `dumps` made and nobody
changed, the origins of the leaves are remembered by their places in the document instead.
"""

from __future__ import annotations

from sys import _getframe

from ao_lsp.taint.adopt import adopt, tag_fresh
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, step
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import VALUE_TYPES, mark, origins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from ao_lsp.taint.origins import Origins
    from ao_lsp.taint.table import Entry

    # Of a leaf its origins; of an array a list; of an object a dictionary of (of the key, of the value).
    Shape: TypeAlias = "Origins | list[Any] | dict[str, tuple[Origins, Any]]"

keep(__name__)

_HOOKS = ("object_hook", "object_pairs_hook")
_PLAIN_OPTIONS = frozenset(
    {"indent", "sort_keys", "ensure_ascii", "separators", "skipkeys", "allow_nan", "check_circular"}
)
_MAX_SHAPES = 256
_shapes: dict[int, tuple[Entry, Shape]] = {}


@unseen
def loads(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`json.loads`."""
    text = args[0] if args else kwargs.get("s")
    origins = origins_of(text) if TAINT else NOTHING
    if not origins:
        return function(*args, **kwargs)
    shape = _shape_of(text)
    hooked = [name for name in _HOOKS if kwargs.get(name) is not None]
    if not hooked:
        if shape is None:
            return adopt(function(*args, **kwargs), origins, True)
        return _put(function(*args, **kwargs), shape)
    for name in hooked:
        kwargs[name] = _given_tagged(kwargs[name], origins)
    return function(*args, **kwargs)


def _given_tagged(hook: Any, origins: Origins) -> Any:
    """A hook of the user's, called with the tagged object; what it returns is its own affair."""

    def tagged(made: Any) -> Any:
        return hook(tag_fresh(made, origins))

    return tagged


@unseen
def dumps(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`json.dumps`."""
    text = [function(*args, **kwargs)]
    value = args[0] if args else kwargs.pop("obj")
    origins = reach((value,)) if TAINT else NOTHING
    if not origins:
        return text.pop()
    tagged = mark(text.pop(), step(origins, _getframe(1)))
    if len(origins) > 1 and _PLAIN_OPTIONS.issuperset(kwargs):
        entry = TAINT.get(id(tagged))
        if entry is not None:
            if len(_shapes) >= _MAX_SHAPES:
                _shapes.clear()
            _shapes[id(tagged)] = entry, _shape(value, 0)
    return tagged


def _shape_of(text: object) -> Shape | None:
    known = _shapes.get(id(text))
    return known[1] if known is not None and known[0] is TAINT.get(id(text)) else None


def _shape(value: object, depth: int) -> Shape:
    if depth < 50:
        if isinstance(value, dict):
            return {
                key: (origins_of(key), _shape(part, depth + 1)) for key, part in dict.items(value) if type(key) is str
            }
        if isinstance(value, (list, tuple)):
            return [_shape(part, depth + 1) for part in value]
    return reach((value,))


def _put(made: Any, shape: Shape) -> Any:
    """`made`, fresh from the parser, with the origins of the value that it was written from."""
    if isinstance(shape, frozenset):
        return adopt(made, shape, True)
    if isinstance(shape, list) and type(made) is list and len(made) == len(shape):
        for index, of_part in enumerate(shape):
            made[index] = _put(made[index], of_part)
    elif isinstance(shape, dict) and type(made) is dict:
        pairs = [(key, made[key]) for key in made]
        made.clear()
        for key, part in pairs:
            of_key, of_part = shape.get(key, (NOTHING, NOTHING))
            made[mark(key, of_key) if type(key) in VALUE_TYPES else key] = _put(part, of_part)
    return made
