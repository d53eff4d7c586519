"""Code that leaves the process: `cloudpickle` and `dill` send a function by its code to processes that know no
helpers. They are given the code that the compiler makes of the source as it stands."""

from __future__ import annotations

from ao_lsp.taint import escrow, pyc, scope
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any

keep(__name__)

_OURS = ("<ao_lsp.", __file__.rpartition("taint")[0])
_Code = type((lambda: None).__code__)
_plain: dict[int, tuple[CodeType, CodeType]] = {}


def patch(module: ModuleType) -> None:
    """Have a module pickle the code of the source. One that lacks what is patched stays as it is."""
    names = vars(module)
    if module.__name__ == "dill.detect":
        globals_in = names["nestedglobals"]

        @unseen
        def nestedglobals(func: Any, recurse: bool = True) -> Any:
            return globals_in(as_written(func) if type(func) is _Code else func, recurse)

        names["nestedglobals"] = nestedglobals
        return
    if module.__name__ == "dill._dill":
        table = names["Pickler"].dispatch
        save = table[_Code]

        @unseen
        def save_code(pickler: Any, code: CodeType) -> Any:
            return save(pickler, as_written(code))

        table[_Code] = save_code
        save_by_code, located = table[FunctionType], names["_locate_function"]

        @unseen
        def save_function(pickler: Any, function: Any) -> Any:
            stood_for = stood_in_for(function)
            known = stood_for is function or located(function, pickler)
            return save_by_code(pickler, function if known else stood_for)

        table[FunctionType] = save_function
        return
    table = names["CloudPickler"].dispatch_table
    reduce: Callable[[CodeType], Any] = table[_Code]

    @unseen
    def reduce_code(code: CodeType) -> Any:
        return reduce(as_written(code))

    table[_Code] = reduce_code
    pickler_class = names["CloudPickler"]
    reduce_by_code = pickler_class._dynamic_function_reduce

    @unseen
    def _dynamic_function_reduce(pickler: Any, function: Any) -> Any:
        return reduce_by_code(pickler, stood_in_for(function))

    pickler_class._dynamic_function_reduce = _dynamic_function_reduce


def stood_in_for(function: Any) -> Any:
    """The function of the user's, where one of ours stands in for it (runner/functions.py): that stays here."""
    if not function.__code__.co_filename.startswith(_OURS):
        return function
    return function.__dict__.get("__wrapped__", function)


def as_written(code: CodeType) -> CodeType:
    """What python makes of the same piece of source; `code` itself where it was not rewritten, or where the file
    has changed since."""
    if code.co_filename not in scope.FILES:
        return code
    known = _plain.get(id(code))
    if known is not None:
        return known[1]
    try:
        whole = compile(pyc.read(code.co_filename), code.co_filename, "exec", dont_inherit=True)
        found = _same(code, whole)
    except Exception as error:
        escrow.lost(f"the code of {code.co_name} as it is written", error)
        return code
    if found is None:
        return code
    _plain[id(code)] = code, found
    return found


def _same(code: CodeType, whole: CodeType) -> CodeType | None:
    """The code in `whole` that stands where `code` stands."""
    sought = _described(code)
    waiting = [whole]
    alike = []
    while waiting:
        each = waiting.pop()
        if _described(each) == sought:
            alike.append(each)
        waiting += [part for part in each.co_consts if type(part) is _Code]
    if len(alike) > 1:  # several lambdas on one line
        place = _place(code)
        alike = [each for each in alike if _place(each) == place]
    return alike[0] if len(alike) == 1 else None


def _described(code: CodeType) -> tuple[Any, ...]:
    return code.co_name, code.co_firstlineno, code.co_argcount, code.co_flags, code.co_varnames, code.co_freevars


def _place(code: CodeType) -> tuple[int, int]:
    """Where the body begins."""
    places = []
    for line, _, column, _ in code.co_positions():  # type: ignore[attr-defined]  # no code is rewritten before 3.11
        if line is not None and column:
            places.append((line, column))
    return min(places) if places else (0, 0)
