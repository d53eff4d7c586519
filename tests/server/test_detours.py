"""Which edges through a child process are none."""

from __future__ import annotations

import pytest

from ao_lsp.server.detours import without_detours
from ao_lsp.server.model import Edge
from tests.server.graphs import call

CALLS = [
    call(1),
    call(2, lineage="@child.py.1/MainThread/"),
    call(3, lineage="@child.py.1/fork.1/MainThread/"),
    call(4, lineage="@child.py.2/MainThread/"),
    call(5),
    call(6, lineage="MainThread/gateway"),
]


def kept(*edges: Edge) -> set[tuple[str, str, str]]:
    found = without_detours(edges, CALLS)
    assert len(found) == len({(edge.source, edge.target) for edge in found})
    return {(edge.source, edge.target, edge.evidence) for edge in found}


def by_text(source: int, target: int) -> Edge:
    return Edge(f"c{source}", f"c{target}", "matched")


PAST = Edge("c1", "c5", "tracked", (), ("child.py.1/",))
KEPT = ("c1", "c5", "tracked")


def test_an_edge_past_the_calls_of_the_child_that_it_leads_through_is_none() -> None:
    assert KEPT not in kept(PAST, by_text(1, 2), by_text(2, 5))
    assert KEPT not in kept(by_text(3, 5), by_text(2, 3), by_text(1, 2), PAST)


@pytest.mark.parametrize("child", ["", "child.py.1/"])
def test_a_call_that_a_gateway_recorded_may_be_of_any_child(child: str) -> None:
    past = Edge("c1", "c5", "tracked", (), (child,))
    assert KEPT not in kept(past, by_text(1, 6), by_text(6, 5))
    assert KEPT in kept(past, by_text(1, 4), by_text(4, 5))


def test_it_stays_where_the_calls_do_not_lead_there() -> None:
    assert KEPT in kept(PAST)
    assert KEPT in kept(PAST, by_text(1, 2))
    assert KEPT in kept(PAST, by_text(2, 5))
    assert KEPT in kept(PAST, by_text(1, 4), by_text(4, 5))  # of another child
    assert KEPT in kept(Edge("c1", "c5", "tracked"), by_text(1, 2), by_text(2, 5))


def test_it_stays_once_where_the_text_itself_got_there() -> None:
    assert KEPT in kept(PAST, by_text(1, 2), by_text(2, 5), by_text(1, 5))
