"""Code lenses and code actions: the same offers, above a call and in a menu."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lsprotocol import types as lsp

from ao_lsp.server.lsp.documents import Document
from ao_lsp.server.lsp.offers import Offer, offers
from ao_lsp.server.lsp.places import Place
from ao_lsp.server.lsp.readings import readings
from ao_lsp.server.lsp.units import Units

ACTION_KIND = "refactor.rewrite.ao"


def lenses(document: Document, places: Iterable[Place], units: Units, records: bool = False) -> list[lsp.CodeLens]:
    """One lens an offer, with its command: some editors leave out lenses that they have to resolve. `records` as of
    `offers`."""
    return [
        lsp.CodeLens(
            range=document.range(place.extent.start, place.extent.end, units), command=_command(offer, offer.title)
        )
        for place in places
        for offer in offers(place, document.path or "", records)
    ]


def actions(
    document: Document,
    places: Iterable[Place],
    lines: tuple[int, int],
    only: Sequence[str] | None,
    has_log: Callable[[str], bool],
    literals: bool,
    records: bool = False,
) -> list[lsp.CodeAction | lsp.Command]:
    """The offers of the places on these lines (first, last), and what there is to read. `only` are the kinds that the
    client wants, `literals` says whether it knows actions that have one; `has_log` as of `readings`, `records` as of
    `offers`."""
    if only is not None and not any(_within(ACTION_KIND, kind) for kind in only):
        return []
    found = [
        _command(offer, offer.label)
        for place in places
        if place.extent.line <= lines[1] and lines[0] <= place.extent.end_line
        for offer in [*offers(place, document.path or "", records), *readings(place, has_log)]
    ]
    if not literals:
        return list(found)
    return [lsp.CodeAction(title=command.title, kind=ACTION_KIND, command=command) for command in found]


def _within(kind: str, wanted: str) -> bool:
    return not wanted or kind == wanted or kind.startswith(wanted + ".")


def _command(offer: Offer, title: str) -> lsp.Command:
    return lsp.Command(title=title, command=offer.command, arguments=[offer.argument])
