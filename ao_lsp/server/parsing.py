"""The syntax tree of a Python source, whole or broken."""

from __future__ import annotations

from ast_grep_py import SgNode, SgRoot


def parsed(text: str) -> SgNode:
    """The root of the tree; columns of its nodes are those of `text`."""
    # It refuses half surrogate pairs; with one character for another, all columns stay.
    return SgRoot(text.encode("utf-8", "replace").decode("utf-8"), "python").root()
