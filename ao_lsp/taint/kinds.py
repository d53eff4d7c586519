"""The interpreter's own types, without importing `types` (a warm start has to pay for it)."""

from __future__ import annotations

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import (
        AsyncGeneratorType,
        BuiltinFunctionType,
        CoroutineType,
        FunctionType,
        GeneratorType,
        MethodType,
        ModuleType,
    )
    from typing import Any
else:

    class _Specimen:
        def method(self):
            pass

    async def _coroutine():
        pass

    async def _async_generator():
        yield

    FunctionType = type(_coroutine)
    MethodType = type(_Specimen().method)
    BuiltinFunctionType = type(len)
    ModuleType = type(__import__("sys"))
    GeneratorType = type(_ for _ in ())
    AsyncGeneratorType = type(_async_generator())
    _made = _coroutine()
    CoroutineType = type(_made)
    _made.close()  # or it would warn that it was never awaited
    del _made

keep(__name__)

# How a class is looked at: a metaclass of the user's may have a `__dict__`, `__mro__`, `__module__` or
# `__getattribute__` of its own, which would run.
bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
names_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
base_of: Callable[[type], type | None] = type.__dict__["__base__"].__get__
flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
_module_of: Callable[[type], Any] = type.__dict__["__module__"].__get__


def module_of(cls: type) -> str:
    """The name of the module of a class; "" where it is no text (a slot of that name, in what Cython makes)."""
    try:
        found = _module_of(cls)
    except AttributeError:
        return ""
    return found if type(found) is str else ""


def lookup(cls: type, name: str) -> Any:
    """What `name` is in the class or its bases; None where it is not there."""
    for base in bases_of(cls):
        names = names_of(base)
        if name in names:
            return names[name]
    return None


__all__ = [
    "AsyncGeneratorType",
    "BuiltinFunctionType",
    "CoroutineType",
    "FunctionType",
    "GeneratorType",
    "MethodType",
    "ModuleType",
    "base_of",
    "bases_of",
    "flags_of",
    "lookup",
    "module_of",
    "name_of",
    "names_of",
]
