"""Versions of the user's code (docs/versions.md)."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict


class CodeChangesJson(TypedDict):
    """Files that one version has otherwise than another."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class VersionJson(TypedDict):
    """A state of a project's files."""

    version: str
    commit: Annotated[str, "where it stands in the private history; changes when older ones are forgotten"]
    project: Annotated[str, "the path of a folder"]
    at: Annotated[str, "when it was last new"]
    files: int
    before: Annotated[str | None, "the version before it; null: it is the project's first"]
    summary: Annotated[str, "a few words for people"]
    changes: Annotated[CodeChangesJson | None, "from the version before it"]
    left_out: Annotated[dict[str, str], "file → why it is not in it"]


class ListedVersionJson(VersionJson):
    """A version with the runs that had it."""

    runs: Annotated[list[str], "newest first"]


class VersionsJson(TypedDict):
    """States of the code, newest first."""

    versions: list[ListedVersionJson]
    total: int


class NamedVersionJson(TypedDict):
    """The version that was meant."""

    version: str
    run: Annotated[str | None, "the run that it was named by"]


class CodeFileJson(TypedDict):
    """A file of a version."""

    file: str
    executable: bool
    link: bool


class CodeFilesJson(NamedVersionJson):
    """The files of a version."""

    files: list[CodeFileJson]


class CodeTextJson(NamedVersionJson, CodeFileJson):
    """A file as it was."""

    bytes: int
    text: Annotated[str | None, "null of what is no UTF-8"]
    base64: Annotated[str, "of a link: where it leads"]


class SideJson(TypedDict):
    """A side of a comparison; both are null for the files as they are now."""

    version: str | None
    run: str | None


class FileDiffJson(TypedDict):
    """A file that is not the same."""

    file: str
    status: Literal["added", "changed", "removed"]
    diff: Annotated[str | None, "in the unified format; null of files of more than 20,000 lines"]


class CodeDiffJson(TypedDict):
    """What changed in the code."""

    a: SideJson
    b: SideJson
    identical: bool
    files: list[FileDiffJson]


class CheckoutJson(NamedVersionJson):
    """What was written."""

    folder: str
    files: Annotated[int, "how many"]
