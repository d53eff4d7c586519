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
from _io import FileIO
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
    folder = _folders.get(version)
    if folder is None:
        tag = f"{sys.implementation.cache_tag}-{int.from_bytes(_MAGIC[:2], 'little')}-o{sys.flags.optimize}-r{version}"
        folder = _folders[version] = os.path.join(paths.pyc_dir(), tag) + os.sep
    absolute = filename if filename.startswith(os.sep) else os.path.abspath(filename)
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


def load(file: str, source: bytes) -> CodeType | None:
    """The cached code for exactly this source; None where there is none."""
    try:
        data = read(file)
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
