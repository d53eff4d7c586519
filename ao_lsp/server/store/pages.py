"""Rows out of the pages of a SQLite file, whatever has become of the rest of it.

SQLite finds rows by way of the pages above theirs, and gives up where one of those is damaged. But each leaf page of a
table says all by itself what its rows are. The format: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import TypeAlias

Value: TypeAlias = "int | float | str | bytes | None"

MAGIC = b"SQLite format 3\0"
_LEAF = 0x0D
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_FRAME = 24
_MOST_BYTES = 1 << 30  # of one row: more is no length but damage


class Pages:
    """The pages of a database as it was committed last: those of the file, and those of its write-ahead log in their
    place. `lost_frames` counts the pages of the log that are damaged, `unreadable` those of the database of which
    something could not be read (known when all rows have been)."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._file = file.read()
        self.size = _page_size(self._file[16:18])
        self._log: dict[int, bytes] = {}
        self.lost_frames, self._committed = 0, 0
        if os.path.exists(path + "-wal"):
            with open(path + "-wal", "rb") as file:
                self._read_log(file.read())
        self.unreadable = 0

    def __len__(self) -> int:
        return max(self._committed or 0, -(-len(self._file) // self.size), max(self._log, default=0))

    @property
    def missing(self) -> bool:
        """Whether the file is shorter than it says, and its log does not have the rest."""
        said = self._committed or struct.unpack(">I", self._file[28:32].ljust(4, b"\0"))[0]
        there = len(self._file) // self.size
        return said - there > sum(there < number <= said for number in self._log)

    def rows(self) -> Iterator[tuple[Value, ...]]:
        """The rows of all tables, in no order. Which table a row is of, it does not tell."""
        for number in range(1, len(self) + 1):
            page = self._page(number)
            start = 100 if number == 1 else 0
            if page is None or len(page) < self.size:
                self.unreadable += 1
            elif page[start] == _LEAF:
                yield from self._leaf(page, start)
            elif page[start] not in (0, 2, 5, 10) and not self._may_be_other(page):
                self.unreadable += 1

    def _may_be_other(self, page: bytes) -> bool:
        """Whether it may be an overflow page or one of pointers, which say nothing of themselves: damage there shows
        in the rows."""
        return int.from_bytes(page[:4], "big") <= len(self) or page[0] in range(1, 6)

    def _page(self, number: int) -> bytes | None:
        if number in self._log:
            return self._log[number]
        start = (number - 1) * self.size
        return self._file[start : start + self.size] or None

    def _leaf(self, page: bytes, start: int) -> Iterator[tuple[Value, ...]]:
        (count,) = struct.unpack_from(">H", page, start + 3)
        whole = start + 8 + 2 * count <= self.size
        for index in range(count if whole else 0):
            (at,) = struct.unpack_from(">H", page, start + 8 + 2 * index)
            try:
                yield self._row(page, at)
            except (ValueError, IndexError, struct.error):
                whole = False
        if not whole:
            self.unreadable += 1

    def _row(self, page: bytes, at: int) -> tuple[Value, ...]:
        """The row whose cell begins at `at`.

        Raises:
            ValueError, IndexError, struct.error: that is none.
        """
        length, at = _varint(page, at)
        _, at = _varint(page, at)  # its rowid
        if not 0 < length < _MOST_BYTES:
            raise ValueError("no length")
        if length <= self.size - 35:
            return _record(_exactly(page[at : at + length], length))
        least = (self.size - 12) * 32 // 255 - 23
        local = least + (length - least) % (self.size - 4)
        if local > self.size - 35:
            local = least
        payload = bytearray(_exactly(page[at : at + local], local))
        (following,) = struct.unpack_from(">I", page, at + local)
        while len(payload) < length:
            more = self._page(following) if following else None
            if more is None:
                raise ValueError("it goes on nowhere")
            (following,) = struct.unpack_from(">I", more)
            payload += more[4 : 4 + min(self.size - 4, length - len(payload))]
        return _record(bytes(payload))

    def _read_log(self, log: bytes) -> None:
        if len(log) < 32 + _FRAME:
            return
        magic, _, size, _, salt = struct.unpack_from(">IIII8s", log)
        order = ">" if magic == _WAL_MAGIC[1] else "<"
        if magic not in _WAL_MAGIC or _checksum(bytes(8), log[:24], order) != log[24:32]:
            size, salt = self.size, log[32 + 8 : 32 + 16]  # the header is damaged: as its frames say
            self.lost_frames = 1  # SQLite would not read one of them
        self.size = size
        before = log[24:32]
        bad = 0
        waiting: dict[int, bytes] = {}
        for at in range(32, len(log) - _FRAME - size + 1, _FRAME + size):
            head, page = log[at : at + _FRAME], log[at + _FRAME : at + _FRAME + size]
            # What has another salt is left over from before the log was begun anew.
            if head[8:16] == salt:
                if _checksum(before, head[:8] + page, order) == head[16:24]:
                    # Those in between are only known to be damaged when one comes behind them that is not.
                    self.lost_frames, bad = self.lost_frames + bad, 0
                    number, committed = struct.unpack(">II", head[:8])
                    waiting[number] = page
                    if committed:
                        self._log.update(waiting)
                        waiting.clear()
                        self._committed = committed
                else:
                    bad += 1
            elif not self._log and not waiting:
                bad += 1  # one that has lost even its salt, if one of this log comes behind it
            before = head[16:24]


def _page_size(said: bytes) -> int:
    size = int.from_bytes(said, "big")
    size = 65536 if size == 1 else size
    return size if size in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536) else 4096


def _checksum(before: bytes, data: bytes, order: str) -> bytes:
    first, second = struct.unpack(">II", before)
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return struct.pack(">II", first, second)


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise ValueError("it breaks off")
    return data


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where what follows it begins."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _record(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        length = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind] if kind < 10 else (kind - 12) // 2
        data = _exactly(payload[at : at + length], length) if length >= 0 else b""
        at += length
        if kind == 0:
            values.append(None)
        elif kind < 7:
            values.append(int.from_bytes(data, "big", signed=True))
        elif kind == 7:
            values.append(struct.unpack(">d", data)[0])
        elif kind < 10:
            values.append(kind - 8)
        elif kind < 12:
            raise ValueError("no kind")
        else:
            values.append(data.decode() if kind % 2 else data)
    if at != len(payload):
        raise ValueError("it is longer than it says")
    return tuple(values)
