"""The folders of jobs in a work dir: private, locked while their job runs, and removed after it.

A folder is locked by its Tendril and by the Terraform that runs in it. One that nobody locks was
left by a Tendril that was killed. No state that Terraform could not save is ever removed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

LOCK = "lock"
UNSAVED_STATES = "unsaved-states"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A folder that only this user can read.

    Attributes:
        path: where it is.
        lock: the descriptor that keeps it locked; a child that inherits it keeps it locked too.
    """

    path: Path
    lock: int


@contextmanager
def make_folder(work_dir: Path, name: str) -> Iterator[JobFolder]:
    """Makes a fresh folder and removes it afterwards, but for an unsaved state.

    Args:
        work_dir: where to make it.
        name: what its name, and that of a kept state, begins with.
    """
    path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work_dir))
    # locked before it has the name by which a sweep finds it
    new = path / f"new-{LOCK}"
    lock = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        new.rename(path / LOCK)
        yield JobFolder(path, lock)
    finally:
        keep_unsaved_state(path)
        shutil.rmtree(path)
        os.close(lock)


def errored_state(folder: Path) -> Path:
    """Where Terraform puts a state that its backend refuses, when it runs for this folder's job."""
    return folder / "terraform" / "errored.tfstate"


def keep_unsaved_state(folder: Path) -> Path | None:
    """Moves the state that could not be saved out of a job's folder.

    Returns:
        where it is kept, or None if there is none.
    """
    state = errored_state(folder)
    if not state.is_file():
        return None
    kept = folder.parent / UNSAVED_STATES / f"{folder.name}.tfstate"
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    state.chmod(0o600)
    state.rename(kept)
    log.error("a Terraform state could not be saved and is kept in %s", kept)
    return kept


def sweep(work_dir: Path) -> None:
    """Removes the folders that killed Tendrils left, but for their unsaved states.

    Those in which a Tendril lives, or Terraform still runs, are not touched.
    """
    for path in work_dir.iterdir():
        try:
            lock = os.open(path / LOCK, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("left alone, because Tendril or Terraform runs in it: %s", path)
        else:
            log.info("removing what a killed Tendril left: %s", path)
            keep_unsaved_state(path)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
