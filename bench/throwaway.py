"""A local stack of a benchmark's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.processes import ProcessRef
from vintner_local.stack import Stack, StackState, find_stack


@contextmanager
def throwaway_stack() -> Iterator[tuple[Stack, StackState]]:
    """An empty project's stack on free ports; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vintner-bench-"))
    folder.chmod(0o711)
    config = folder / "project" / "supabase" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('project_id = "bench"\n')
    stack = find_stack(folder / "project", folder / "stack")
    try:
        owner = ProcessRef.of(os.getpid())
        yield stack, lifecycle.up(stack, Wishes(api_port=0, db_port=0, owner=owner), lambda _: None)
    finally:
        lifecycle.remove(stack)
        shutil.rmtree(folder)
