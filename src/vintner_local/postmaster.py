"""PostgreSQL's main process: its environment, and what its pid file tells about it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from vintner_local.files import last_lines
from vintner_local.processes import ProcessRef

STATUS_LINE = 7
"""Line of postmaster.pid, counted from 0, that says how far the server is."""


def is_ready(data: Path, pid: int) -> bool:
    """Whether a server says that it takes connections.

    Args:
        data: its data folder, where the file of a killed server may still lie.
        pid: its process.
    """
    lines = [line.strip() for line in last_lines(data / "postmaster.pid", STATUS_LINE + 1)]
    return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE] == "ready"


def find_server(data: Path) -> ProcessRef | None:
    """The server that runs on a data folder, whoever started it."""
    lines = last_lines(data / "postmaster.pid", STATUS_LINE + 1)
    if not lines or not lines[0].strip().isdigit():
        return None
    found = ProcessRef.of(int(lines[0]))
    process = found.find() if found is not None else None
    try:
        ours = process is not None and str(data) in process.cmdline()
    except psutil.Error:
        return None
    return found if ours else None


def server_environment() -> dict[str, str]:
    """The environment of the server: the caller's without what would reconfigure PostgreSQL."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG", "SUPABASE_"))
    }
