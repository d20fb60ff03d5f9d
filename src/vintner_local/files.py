"""Writing files that nobody else may read and that are never seen half-written."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replaces a file as a whole, readable by its owner alone.

    A file that exists keeps its owner, so that root may refresh a file of a plain user.

    Args:
        path: the file; its folder exists.
        text: the new content.
    """
    path = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0 and path.exists():
            owner = path.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file, or none when there is no such file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, count)]
    except FileNotFoundError:
        return []
