"""What SqlStore asks of a database: transactions, and statements in the SQL that SQLite and PostgreSQL share.

In a statement `?` stands for a value, and `each(?)` for a table with one column, `value`, of the texts in a list
(`each_number(?)`: of whole numbers). Everything else that the two write in different words is behind `Driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ao_lsp.server.model import Change

if TYPE_CHECKING:
    from ao_lsp.server.store.salvage import Salvaged


class Row(Protocol):
    """One row: values by the name or the number of their column."""

    def __getitem__(self, column: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Transaction(Protocol):
    """Statements that see one state of the database, and are committed together or not at all."""

    async def execute(self, statement: str, *values: object) -> int:
        """How many rows it changed."""

    async def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Once for each of `rows`, in order."""

    async def fetch(self, statement: str, *values: object) -> Sequence[Row]: ...

    async def first(self, statement: str, *values: object) -> Row | None:
        """The first row."""

    async def index_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        """Have texts, by their numbers, found by what is in them."""

    async def unindex_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        """Take texts out again, given as they were put in."""

    async def clear_index(self) -> None:
        """Take all texts out."""

    async def candidates(self, needle: str) -> list[int] | None:
        """The numbers of texts in which `needle`, of three letters at least, may be, the highest first; None where
        there is no index."""

    async def announce(self, changes: Sequence[Change]) -> None:
        """Tell other daemons on this database of `changes`, once they are committed."""


class Driver(Protocol):
    """A database. Everything may raise `StoreError`; what a statement of ours did wrong (a value that no column can
    hold) is raised as it comes."""

    name: str
    """What the user knows it by: a path, or an address without its password."""

    shared: bool
    """Whether daemons of other machines may write here, too."""

    salvaged: Salvaged | None
    """What became of it when it was damaged, as long as what it was is kept."""

    just_salvaged: bool
    """Whether that was when it was opened."""

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that is alone in writing: committed at the end, rolled back by an exception."""

    def read(self) -> AbstractAsyncContextManager[Transaction]: ...

    async def give_back(self) -> None:
        """After a deletion: give the space back, and leave nothing of what was deleted."""

    async def size(self) -> int:
        """Bytes on disk."""

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        """From now on, call `heard` with what other daemons commit."""

    async def others_wrote(self) -> bool:
        """Whether another process has committed something that `listen` does not tell, since this was asked last."""

    async def close(self) -> None: ...
