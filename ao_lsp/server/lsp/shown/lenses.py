"""Code lenses and code actions: the same offers, above a call and in a menu."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.shown.offers import Offer, file_offers, offers
from ao_lsp.server.lsp.shown.readings import readings


def lenses(document: Document, places: Iterable[Place], units: Units, records: bool = False) -> list[lsp.CodeLens]:
    """One lens an offer, with its command: some editors leave out lenses that they have to resolve. `records` as of
    `offers`."""
    return [
        lsp.CodeLens(range=_range(document, place, number, units), command=_command(offer, offer.title))
        for place in places
        for number, offer in enumerate(offers(place, document.path or "", records))
    ]


def _range(document: Document, place: Place, number: int, units: Units) -> lsp.Range:
    """Of the lens of that number. Each begins a character further on: Neovim sorts those of a line by where they begin,
    and leaves equal ones in any order."""
    line, column = place.extent.start
    last = place.extent.end_column if place.extent.end_line == line else len(document.line(line))
    return document.range((line, max(column, min(column + number, last))), place.extent.end, units)


def actions(
    document: Document,
    places: Sequence[Place],
    lines: tuple[int, int],
    only: Sequence[str] | None,
    has_log: Callable[[str], bool],
    literals: bool,
    records: bool = False,
    automatic: bool = False,
    asks: bool = True,
) -> list[lsp.CodeAction | lsp.Command]:
    """The offers of the places on these lines (first, last), and what there is to read. `only` are the kinds that the
    client wants, `literals` says whether it knows actions that have one; `has_log` as of `readings`, `records` and
    `asks` as of `offers`; `automatic`: nobody has asked for a menu."""
    file = document.path or ""
    here = [place for place in places if place.extent.line <= lines[1] and lines[0] <= place.extent.end_line]
    found = [(offer.kind, offer) for place in here for offer in offers(place, file, records, asks)]
    found += [(offer.kind, offer) for place in here for offer in readings(place, has_log, asks)]
    found = [(kind, offer) for kind, offer in found if _is_wanted(kind, only)]
    # A menu that comes by itself is no place for what concerns the whole file; nor is one that is about a call.
    if only is not None or (not here and not automatic):
        known = [(offer.command, offer.argument) for _, offer in found]
        whole = [(kind, offer) for kind, offer in file_offers(places, file) if _is_wanted(kind, only)]
        found += [(kind, offer) for kind, offer in whole if (offer.command, offer.argument) not in known]
    wanted = [(kind, _command(offer, offer.label)) for kind, offer in found]
    if not literals:
        return [command for _, command in wanted]
    return [lsp.CodeAction(title=command.title, kind=kind, command=command) for kind, command in wanted]


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    return only is None or any(_within(kind, one) for one in only)


def _within(kind: str, wanted: str) -> bool:
    return not wanted or kind == wanted or kind.startswith(wanted + ".")


def _command(offer: Offer, title: str) -> lsp.Command:
    return lsp.Command(title=title, command=offer.command, arguments=[offer.argument])
