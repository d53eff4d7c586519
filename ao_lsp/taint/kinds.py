"""The interpreter's own types, without importing `types` (a warm start has to pay for it)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import (
        AsyncGeneratorType,
        BuiltinFunctionType,
        CoroutineType,
        FunctionType,
        GeneratorType,
        MethodType,
        ModuleType,
    )
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

__all__ = [
    "AsyncGeneratorType",
    "BuiltinFunctionType",
    "CoroutineType",
    "FunctionType",
    "GeneratorType",
    "MethodType",
    "ModuleType",
]
