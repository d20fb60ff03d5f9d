"""Copies of a stack's data by name: taken and put back while the stack stands still.

A copy is written beside its place and renamed, so a full disk leaves neither half a snapshot nor
half a database.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from vintner_local import lifecycle
from vintner_local.errors import StackError
from vintner_local.files import write_private
from vintner_local.install import Report, install
from vintner_local.postgres import Cluster
from vintner_local.server_user import server_user
from vintner_local.stack import Stack, StackState

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
UNFINISHED = ".unfinished"
DESCRIPTION = "snapshot.json"
DATA = "postgres"


class Snapshot(BaseModel):
    """One snapshot.

    Attributes:
        name: how it is called.
        taken: when.
        platform: fingerprint of the platform SQL that the data was made with.
    """

    name: str
    taken: datetime
    platform: str


def take(stack: Stack, name: str, report: Report, *, force: bool) -> None:
    """Keeps the data under a name; a running stack stops for it and starts again.

    Args:
        stack: the stack.
        name: letters, digits, `.`, `_` and `-`.
        report: told what happens.
        force: whether a snapshot of that name is replaced.

    Raises:
        StackError: the name is not valid or taken, there is no data, or the disk is full.
    """
    place = _place(stack, name)
    with stack.locked():
        if place.exists() and not force:
            raise StackError(f"there is a snapshot {name}: --force replaces it")
        state = _state_with_data(stack)
        fresh = _unfinished(stack)
        with _standing_still(stack, report):
            try:
                fresh.mkdir(mode=0o700)
                _copy(state.cluster, fresh / DATA)
                snapshot = Snapshot(name=name, taken=datetime.now(UTC), platform=state.platform)
                write_private(fresh / DESCRIPTION, snapshot.model_dump_json())
                if place.exists():
                    shutil.rmtree(place)
                fresh.rename(place)
            except OSError as error:
                raise StackError(f"the snapshot cannot be made: {error.strerror}") from error
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    report(f"took the snapshot {name}")


def restore(stack: Stack, name: str, report: Report) -> None:
    """Puts a snapshot in the place of the data; keys and ports stay.

    Args:
        stack: the stack.
        name: of the snapshot, which stays as it is.
        report: told what happens.

    Raises:
        StackError: there is no such snapshot, or the disk is full, which leaves the data as it was.
    """
    place = _place(stack, name)
    if not place.is_dir():
        raise StackError(f"there is no snapshot {name}: `vintner-local snapshots` lists them")
    with stack.locked():
        state = _state_with_data(stack)
        snapshot = _read(place)
        fresh = state.cluster.with_name(f"{state.cluster.name}{UNFINISHED}")
        if fresh.exists():
            shutil.rmtree(fresh)
        with _standing_still(stack, report):
            try:
                _copy(place / DATA, fresh)
                Cluster(fresh, install(report), server_user(state.cluster)).sync()
                shutil.rmtree(state.cluster)
                fresh.rename(state.cluster)
            except OSError as error:
                raise StackError(f"the data cannot be put back: {error.strerror}") from error
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            stack.save_state(state.model_copy(update={"platform": snapshot.platform}))
    report(f"restored the snapshot {name}")


def present(stack: Stack) -> list[Snapshot]:
    """The snapshots of a stack, oldest first."""
    if not stack.snapshots.exists():
        return []
    places = (place for place in stack.snapshots.iterdir() if NAME.fullmatch(place.name))
    return sorted((_read(place) for place in places), key=lambda snapshot: snapshot.taken)


@contextmanager
def _standing_still(stack: Stack, report: Report) -> Iterator[None]:
    """Stops what runs, and starts it again whatever happens meanwhile."""
    launch = stack.load_launch() if lifecycle.running(stack) is not None else None
    lifecycle.end_processes(stack)
    try:
        yield
    finally:
        if launch is not None:
            lifecycle.start_again(stack, launch.owner, report)


def _place(stack: Stack, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise StackError(
            f"{name!r} is no name for a snapshot: take letters, digits, `.`, `_` and `-`, up to "
            "64, and begin with a letter or digit"
        )
    return stack.snapshots / name


def _unfinished(stack: Stack) -> Path:
    stack.snapshots.mkdir(mode=0o700, exist_ok=True)
    fresh = stack.snapshots / UNFINISHED
    if fresh.exists():
        shutil.rmtree(fresh)
    return fresh


def _state_with_data(stack: Stack) -> StackState:
    state = stack.load_state()
    if state is None or not state.cluster.exists():
        raise StackError("there is no data yet: start the stack with `vintner-local up`")
    return state


def _read(place: Path) -> Snapshot:
    try:
        return Snapshot.model_validate_json((place / DESCRIPTION).read_bytes())
    except (OSError, ValueError) as error:
        raise StackError(f"the snapshot {place.name} is damaged: remove {place}") from error


def _copy(source: Path, target: Path) -> None:
    """Copies a data folder with its owner and modes, which is what `cp -a` is for."""
    done = subprocess.run(
        ["/bin/cp", "-a", "--", str(source), str(target)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        full = "No space left on device" in done.stderr
        reason = "the disk is full" if full else "see the lines below"
        raise StackError(f"the data cannot be copied: {reason}", done.stderr)
