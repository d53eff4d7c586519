"""`scripts/demo`, the first thing that anybody runs: what it prints is what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_demo_records_shows_edits_and_reruns_a_real_agent(tmp_path: Path) -> None:
    env = {**os.environ, "AO_DEMO_DIR": str(tmp_path), "AO_DEMO_VENV": sys.prefix}
    done = subprocess.run([ROOT / "scripts" / "demo"], cwd="/", env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for line in (
        r"1  ●    plan       research_agent\.py:\d+  gpt-5\.4-mini",
        r"4  ╰▶●  search .*  ← 1",
        r"7  ●◀╯  revise .*  ← 5, 6",
        r"stored the edited output of call 3",
        r"3 of 7 calls live, about [\d,]+ tokens \+ 1 unknown, cost unknown; 1 edited, 3 replayed",
        r"3  ├▶◆  search .*  ← 1",
        r"research \w+ → research \w+: 3 same, 4 changed",
        r"~   5→5  write · gpt-5\.4 · live · input changed",
        r"\+Nobody runs night trains any more; the last one left in 2031\.",
    ):
        assert re.search(line, said), f"{line}\n\n{said}"
    assert (tmp_path / "graph.svg").read_text("utf-8").startswith("<svg")
    assert "Nobody runs night trains" in (tmp_path / "output-of-rerun.txt").read_text("utf-8")
