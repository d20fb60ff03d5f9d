"""A stack for the length of one program."""

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
def throwaway_stack(project: Path) -> Iterator[tuple[Stack, StackState]]:
    """A project's stack in a temporary folder, on free ports; it is removed at the end.

    Args:
        project: holds `supabase/config.toml`.

    Raises:
        StackError: it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="vintner-throwaway-"))
    folder.chmod(0o711)
    stack = find_stack(project, folder / "stack")
    try:
        owner = ProcessRef.of(os.getpid())
        yield stack, lifecycle.up(stack, Wishes(api_port=0, db_port=0, owner=owner), lambda _: None)
    finally:
        lifecycle.remove(stack)
        shutil.rmtree(folder)
