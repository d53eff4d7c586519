"""How often a folder is looked at of which no events come."""

from __future__ import annotations

SHORTEST_S, LONGEST_S = 1.0, 60.0
_SHARE = 50.0
"""Looking takes a fiftieth of the time at most."""
_QUIET_LOOKS = 30


class Pace:
    """The pause between two looks: as long as looking takes, times fifty, and longer where nothing changes."""

    def __init__(self, shortest_s: float | None = None) -> None:
        self._shortest_s = shortest_s
        self._quiet = 0

    def stirred(self) -> None:
        """Something changed, or somebody is at work here."""
        self._quiet = 0

    def pause(self, took_s: float) -> float:
        """Seconds until the next look, after one that took so long."""
        self._quiet += 1
        slower = 1 << min(3, self._quiet // _QUIET_LOOKS)
        return min(LONGEST_S, max(self._shortest_s or SHORTEST_S, took_s * _SHARE) * slower)
