"""The user PostgreSQL runs as. It refuses to be root, so root lends it an unprivileged user.

Such a user cannot enter folders that are root's alone. Nobody's folder modes are changed for it:
its data then lies under a folder that is open to it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from vintner_local.errors import StackError
from vintner_local.stack import Stack

CANDIDATES = ("postgres", "nobody")
OPEN_DATA_FOLDER = Path("/var/lib/vintner-local")


class ProcessUser(TypedDict, total=False):
    """Arguments for starting a process as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class ServerUser:
    """An unprivileged user of this machine."""

    uid: int
    gid: int

    def owns(self, path: Path) -> None:
        """Gives the user a file or folder."""
        os.chown(path, self.uid, self.gid)


def process_user(user: ServerUser | None) -> ProcessUser:
    """How to start a process as the user; as ourselves for None."""
    if user is None:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def server_user(cluster: Path | None) -> ServerUser | None:
    """Whom PostgreSQL runs as.

    Args:
        cluster: the present data folder, whose owner goes on to run it; None for a new one.

    Returns:
        The user, or None when it runs as ourselves, who are not root.

    Raises:
        StackError: the data belongs to someone else, or root finds no user to lend.
    """
    owner = cluster.stat() if cluster is not None and cluster.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise StackError(
                f"{cluster} belongs to another user (uid {owner.st_uid}): run as that user, or "
                "choose another folder with --data"
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return ServerUser(owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(entry.pw_uid, entry.pw_gid)
    raise StackError(
        "PostgreSQL does not run as root and this machine has no user `postgres` or `nobody`: "
        "run as a plain user"
    )


def can_enter(folder: Path, user: ServerUser) -> bool:
    """Whether the user reaches a folder, judged by the kernel itself."""
    entered = subprocess.run(
        ["/bin/sh", "-c", 'cd "$0"', str(folder)],
        check=False,
        cwd="/",
        stderr=subprocess.DEVNULL,
        **process_user(user),
    )
    return entered.returncode == 0


def place_for_cluster(stack: Stack, user: ServerUser | None) -> Path:
    """Where a new data folder goes: into the stack's folder if PostgreSQL may enter that.

    Args:
        stack: the stack; its folder exists.
        user: whom PostgreSQL will run as.
    """
    if user is None or can_enter(stack.folder, user):
        return stack.folder / "postgres"
    digest = hashlib.sha256(str(stack.folder).encode()).hexdigest()[:12]
    place = OPEN_DATA_FOLDER / f"{stack.project.name}-{digest}"
    for folder in (OPEN_DATA_FOLDER, place):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o755)
    return place / "postgres"


def remove_cluster(data: Path) -> None:
    """Removes a data folder, with the place that was made for it alone."""
    place = data.parent if data.is_relative_to(OPEN_DATA_FOLDER) else data
    if place.exists():
        shutil.rmtree(place)
