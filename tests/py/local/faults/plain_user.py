"""The stack's command as run by an unprivileged user, whoever runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vintner_local import install
from vintner_local.server_user import ProcessUser, ServerUser, process_user

NAME = "nobody"
COMMAND = "import sys; from vintner_local.cli import main; sys.argv[0] = 'vintner-local'; main()"


@dataclass(frozen=True)
class PlainUser:
    """An unprivileged user with a home of their own.

    Attributes:
        uid: who that is.
        home: their home; its path holds a space.
        python: a Python with these tests' packages that they may run.
        environment: what it is run with.
        identity: how a process is started as them.
    """

    uid: int
    home: Path
    python: Path
    environment: dict[str, str]
    identity: ProcessUser

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `vintner-local` in the home."""
        return subprocess.run(
            [str(self.python), "-P", "-c", COMMAND, *arguments],
            check=False,
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            **self.identity,
        )

    def owns(self, folder: Path) -> None:
        """Gives the user a folder with everything in it."""
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.identity.get("group", -1))


def plain_user(folder: Path) -> PlainUser:
    """Whoever runs the tests; where that is root, a user who may do nothing.

    Args:
        folder: an empty one that every user may enter.
    """
    home = folder / "a home"
    home.mkdir(mode=0o700)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**kept, "HOME": str(home)}
    if os.geteuid() != 0:
        cache = {name: os.environ[name] for name in ("XDG_CACHE_HOME",) if name in os.environ}
        cache = cache or {"XDG_CACHE_HOME": str(Path.home() / ".cache")}
        return PlainUser(os.geteuid(), home, Path(sys.executable), environment | cache, {})
    entry = pwd.getpwnam(NAME)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    python, more = _open_python(folder / "python")
    # npm's packages are the same for every user, and root's are open to all
    cache = {"XDG_CACHE_HOME": str(install.ROOTS_CACHE.parent)}
    identity = process_user(ServerUser(entry.pw_uid, entry.pw_gid))
    return PlainUser(entry.pw_uid, home, python, {**environment, **more, **cache}, identity)


def _open_python(folder: Path) -> tuple[Path, dict[str, str]]:
    """This Python and its packages in a folder open to all, as root's own may be closed."""
    folder.mkdir()
    base = Path(sys.base_prefix)
    library = Path(sysconfig.get_path("stdlib")).relative_to(base)
    left_out = shutil.ignore_patterns("site-packages", "test")
    _link_tree(base / library, folder / library, left_out)
    for shared in (base / "lib").glob("libpython*"):
        _link(str(shared), str(folder / "lib" / shared.name))
    python = folder / "bin" / "python"
    python.parent.mkdir()
    _link(str(Path(sys.executable).resolve()), str(python))
    packages, source = folder / "packages", folder / "source"
    (here,) = site.getsitepackages()[:1]
    _link_tree(Path(here), packages)
    package = Path(install.__file__).parent
    _link_tree(package, source / package.name)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return python, {
        "PYTHONHOME": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, (source, packages))),
        "LD_LIBRARY_PATH": str(folder / "lib"),
    }


def _link_tree(
    source: Path, target: Path, left_out: Callable[[str, list[str]], set[str]] | None = None
) -> None:
    shutil.copytree(source, target, ignore=left_out, copy_function=_link)


def _link(source: str, target: str) -> None:
    """A second name where that can be, which costs nothing; a copy where not."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
