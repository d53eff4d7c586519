"""Rewritten bytecode on disk, found by the hash of its source.

One file a source file and state: its name is made of the path, the interpreter, the optimisation
level and the version of the rewriter; inside stand the hashes of the source and of what follows. Files are
written under a private name and renamed, so a reader sees a whole one or none. A cache that cannot
be read or written costs time, nothing else.
"""

from __future__ import annotations

import os
import sys
from _imp import source_hash
from _io import FileIO
from marshal import dumps, loads
from posix import replace, unlink

from ao_lsp import paths
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

keep(__name__)

# `importlib.util` would cost a warm start 3 ms.
_MAGIC = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
_HEADER = 32


def _hash(data: bytes | memoryview) -> bytes:
    return source_hash(0x616F, data)


def location(filename: str, version: int) -> str:
    """Where the bytecode of the source file `filename` is kept, whatever its state."""
    folder = _folders.get(version)
    if folder is None:
        tag = f"{sys.implementation.cache_tag}-{int.from_bytes(_MAGIC[:2], 'little')}-o{sys.flags.optimize}-r{version}"
        folder = _folders[version] = os.path.join(paths.pyc_dir(), tag) + os.sep
    absolute = filename if filename.startswith(os.sep) else os.path.abspath(filename)
    if (moved := paths.moved()) is not None and absolute.startswith(moved[0]):
        # Beside that of the file which it is an old state of, whichever folder this rerun has: the cache does not grow.
        absolute = f"{paths.as_recorded(absolute)}\0old"
    name = _hash(os.fsencode(absolute)).hex()
    return f"{folder}{name[:2]}{os.sep}{name}.pyc"


_folders: dict[int, str] = {}  # looked for once: a warm import does little else than this


def read(file: str) -> bytes:
    """The contents of a file, without the buffer that `open` would put in between.

    Raises:
        OSError: it cannot be read.
    """
    with FileIO(file) as handle:
        return handle.readall()


def load(file: str, source: bytes) -> tuple[CodeType, bool] | None:
    """The cached code for exactly this source, and whether compiling the source gives warnings; None
    where there is none."""
    try:
        data = read(file)
        body = memoryview(data)[_HEADER:]
        warns = data[_HEADER - 1 : _HEADER] == b"\1"
        if data[:_HEADER] == _header(source, body, warns):
            code = loads(body)
            # What else it may be was made by somebody who knows our hashes.
            return (code, warns) if type(code) is _Code else None
    except (OSError, EOFError, ValueError, TypeError):
        pass
    return None


def is_current(file: str, source: bytes) -> bool:
    """Whether `load` would find something there, without loading it."""
    try:
        data = read(file)
    except OSError:
        return False
    return data[:_HEADER] == _header(source, memoryview(data)[_HEADER:], data[_HEADER - 1 : _HEADER] == b"\1")


_Code = type(_hash.__code__)


def _header(source: bytes, body: bytes | memoryview, warns: bool) -> bytes:
    # `loads` may crash on what is no code: the hash of the body says whether it is what was written.
    mark = b"ao-pyc\0" + bytes((warns,))
    return _hash(source) + len(source).to_bytes(8, "little") + _hash(body) + mark


def store(file: str, source: bytes, code: CodeType, warns: bool = False) -> None:
    """Keep `code` for `source`; `warns`: compiling the source gives warnings.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = os.path.dirname(file)
    os.makedirs(folder, 0o700, exist_ok=True)
    private = f"{file}.{os.getpid()}"
    body = dumps(code)
    data = _header(source, body, warns) + body
    try:
        with FileIO(private, "x") as handle:
            rest = memoryview(data)
            while rest:
                rest = rest[handle.write(rest) :]
        replace(private, file)
    except OSError:
        try:
            unlink(private)
        except OSError:
            pass
        raise
