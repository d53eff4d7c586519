"""How the server stands: what everybody who looks on hears of when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ao_lsp.server.store import StoreError


class Standing:
    """`trouble` is why nothing can be stored at the moment; None where it can."""

    def __init__(self) -> None:
        self.trouble: StoreError | None = None
        self._listeners: list[Callable[[], None]] = []

    def failed(self, trouble: StoreError | None) -> None:
        """Something could not be stored; None: it could."""
        before, self.trouble = self.trouble, trouble
        if str(before) != str(trouble):
            self.stirred()

    def stirred(self) -> None:
        """Something may have changed."""
        for listener in list(self._listeners):
            listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have it called whenever something may have changed."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
