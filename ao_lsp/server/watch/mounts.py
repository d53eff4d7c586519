"""Where no file events can be relied on: what another machine changes, or the other side of a container or of a virtual
machine, the kernel here does not see. Read from `/proc/self/mountinfo` (proc(5)); pure but for that.
"""

from __future__ import annotations

import os
import re

_FOREIGN = frozenset({
    "9p", "acfs", "afs", "aufs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fakeowner", "fuse", "gfs2",
    "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "overlay", "panfs", "prl_fs", "pvfs2",
    "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})  # fmt: skip
"""`overlay`: of what changes in a lower layer nothing is heard (Documentation/filesystems/overlayfs.rst in Linux)."""

_LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.exfat"})

_ESCAPED = re.compile(rb"\\([0-7]{3})")


def polled_kind(path: str, table: bytes) -> str | None:
    """The kind of file system that `path` (without links in it) lies on, where it is one to be polled. `table` is the
    text of `mountinfo`."""
    place, kind = os.fsencode(path), b""
    longest = -1
    for line in table.splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = _ESCAPED.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), fields[4])
        # The last one that is mounted on a folder hides those before it.
        if len(point) >= longest and (place == point or place.startswith(point.rstrip(b"/") + b"/")):
            longest, kind = len(point), after.split()[0]
    name = os.fsdecode(kind)
    if name in _LOCAL_FUSE or not (name in _FOREIGN or name.startswith("fuse.")):
        return None
    return name


def mounts() -> bytes:
    """The text of `mountinfo`; empty where there is none."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return file.read()
    except OSError:
        return b""
