"""What a list of runs counts: of each run, with its subruns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from ao_lsp.server.model import RunSummary

_COUNTS = tuple(field.name for field in fields(RunSummary) if field.name != "run")


def summed(own: Sequence[RunSummary]) -> list[RunSummary]:
    """`own`, where each run counts what is its own alone, with what its subruns count added."""
    totals = {summary.run.id: {name: getattr(summary, name) for name in _COUNTS} for summary in own}
    outer = {summary.run.id: summary.run.subrun_of for summary in own}
    for summary in own:
        around = outer[summary.run.id]
        while around in totals:
            for name in _COUNTS:
                totals[around][name] += getattr(summary, name)
            around = outer[around]
    return [replace(summary, **totals[summary.run.id]) for summary in own]
