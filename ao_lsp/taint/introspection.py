"""`inspect.getclosurevars` lists the built-ins that a function uses: those of ours are no part of the program."""

from __future__ import annotations

from ao_lsp.taint.frames import disguised, unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.names import HELPER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

keep(__name__)


def patch(module: ModuleType) -> None:
    """Patch `inspect`."""
    listed = vars(module)["getclosurevars"]

    @unseen
    def getclosurevars(func: Any) -> Any:
        found = listed(func)
        used = found.builtins
        for name in list(used):
            if name.startswith(HELPER):
                del used[name]
        return found

    vars(module)["getclosurevars"] = disguised(getclosurevars, listed)
