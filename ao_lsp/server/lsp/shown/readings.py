"""What there is to read at a place: offers for menus; as lenses they would be too many."""

from __future__ import annotations

from collections.abc import Callable

from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.shown.offers import Offer, of_calls


def readings(place: Place, has_log: Callable[[str], bool], asks: bool = True) -> list[Offer]:
    """The texts to be opened at a place; `has_log` tells whether what a run printed was kept, `asks` is as of
    `offers`."""
    if place.record is None or not place.calls:
        return []
    run, calls = place.record.run, list(place.calls)
    found = [
        *of_calls("prompt", "open the prompt of", "ao.openPrompt", run.id, calls[-1], calls, asks),
        *of_calls("output", "open the output of", "ao.openOutput", run.id, calls[-1], calls, asks),
    ]
    if run.parent_run is not None:
        told = {"a": run.parent_run, "b": run.id}
        found.append(Offer("diff", f"ao: what changed since run {run.parent_run}", "ao.openDiff", told))
    if has_log(run.root or run.id):
        found.append(Offer("log", f"ao: what {run.name} printed", "ao.openLog", {"run": run.id}))
    return found
