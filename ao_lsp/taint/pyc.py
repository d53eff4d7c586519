"""Rewritten bytecode on disk, found by the hash of its source.

One file a source file and state: its name is made of the path, the interpreter, the optimisation
level and the version of the rewriter; inside stand the hash and length of the source. Files are
written under a private name and renamed, so a reader sees a whole one or none. A cache that cannot
be read or written costs time, nothing else.
"""

from __future__ import annotations

import os
import sys
from _imp import source_hash
from marshal import dumps, loads

from ao_lsp import paths
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

keep(__name__)

# `importlib.util` would cost a warm start 3 ms.
_MAGIC = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
_HEADER = 24


def _hash(data: bytes) -> bytes:
    return source_hash(0x616F, data)


def location(filename: str, version: int) -> str:
    """Where the bytecode of the source file `filename` is kept, whatever its state."""
    tag = f"{sys.implementation.cache_tag}-{int.from_bytes(_MAGIC[:2], 'little')}-o{sys.flags.optimize}-r{version}"
    name = _hash(os.fsencode(os.path.abspath(filename))).hex()
    return os.path.join(paths.pyc_dir(), tag, name[:2], name + ".pyc")


def load(file: str, source: bytes) -> CodeType | None:
    """The cached code for exactly this source; None where there is none."""
    try:
        with open(file, "rb") as handle:
            data = handle.read()
        if data[:_HEADER] != _header(source):
            return None
        code: CodeType = loads(memoryview(data)[_HEADER:])
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return code


def _header(source: bytes) -> bytes:
    return _hash(source) + len(source).to_bytes(8, "little") + b"ao-pyc\0\0"


def store(file: str, source: bytes, code: CodeType) -> None:
    """Keep `code` for `source`.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = os.path.dirname(file)
    os.makedirs(folder, 0o700, exist_ok=True)
    private = f"{file}.{os.getpid()}"
    try:
        with open(private, "xb") as handle:
            handle.write(_header(source) + dumps(code))
        os.replace(private, file)
    except OSError:
        try:
            os.unlink(private)
        except OSError:
            pass
        raise
