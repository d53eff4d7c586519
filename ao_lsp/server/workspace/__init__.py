"""Which files are the user's: the folder of a program's project, and what in it counts.

Knows files and folders only; what is watched, compiled or kept of them is decided elsewhere (docs/projects.md).
"""

from __future__ import annotations

from ao_lsp.server.workspace.project import MOST_FILES, Found, Project, is_below
from ao_lsp.server.workspace.roots import program_folder, project_root

__all__ = ["MOST_FILES", "Found", "Project", "is_below", "program_folder", "project_root"]
