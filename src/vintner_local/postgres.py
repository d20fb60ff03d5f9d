"""One PostgreSQL cluster: making it, and the command that runs it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from vintner_local import platform_sql
from vintner_local.errors import StackError
from vintner_local.files import last_lines, write_private
from vintner_local.install import Parts
from vintner_local.ports import HOST, any_free
from vintner_local.postmaster import find_server, is_ready, server_environment
from vintner_local.processes import POSTGRES_ENDING, ProcessRef
from vintner_local.server_user import ServerUser, process_user

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "wal_level": "logical",
    "max_connections": "200",
    "max_wal_senders": "30",
    "max_replication_slots": "30",
    "max_slot_wal_keep_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
}
"""Durable as PostgreSQL is by default; an abandoned replication slot cannot fill the disk."""

START_SECONDS = 30.0


@dataclass(frozen=True)
class Cluster:
    """A data folder and the server for it.

    Attributes:
        data: the data folder.
        parts: where the programs are.
        user: whom the server runs as; None for ourselves.
    """

    data: Path
    parts: Parts
    user: ServerUser | None

    def command(self, port: int) -> list[str]:
        """The command line that serves the cluster on a port of the loopback address."""
        extensions = self.parts.extensions
        settings = {
            **SETTINGS,
            "port": str(port),
            "extension_control_path": f"$system:{extensions}",
            "dynamic_library_path": f"$libdir:{extensions / 'lib'}",
        }
        options = [option for item in settings.items() for option in ("-c", "=".join(item))]
        return [str(self.parts.postgres("postgres")), "-D", str(self.data), *options]

    def exists(self) -> bool:
        """Whether the cluster was made."""
        return (self.data / "PG_VERSION").exists()

    def create(self, superuser: str, roles: Iterable[str], password: str) -> None:
        """Makes the cluster with the platform SQL in it; it appears as a whole or not at all.

        Args:
            superuser: name of the cluster's superuser.
            roles: the other roles that log in.
            password: of all of them.

        Raises:
            StackError: the disk or a program stands in the way.
        """
        fresh = replace(self, data=self.data.with_name(f"{self.data.name}.new"))
        fresh._discard()
        try:
            fresh.data.mkdir(mode=0o700)
            if self.user is not None:
                self.user.owns(fresh.data)
            fresh._initialise(superuser, password)
            # nothing is lost if this fails: it is made again
            with fresh.served("-F") as port:
                _prepare(port, superuser, roles, password)
            fresh.sync()
            fresh.data.rename(self.data)
        except OSError as error:
            raise StackError(
                f"PostgreSQL's data folder {self.data} cannot be made: {error.strerror}"
            ) from error
        finally:
            fresh._discard()

    def sync(self) -> None:
        """Has the disk keep the whole data folder.

        Raises:
            StackError: it cannot.
        """
        self._run_initdb("--sync-only")

    def _discard(self) -> None:
        """Removes what an attempt left, with a server that outlived its killed starter."""
        orphan = find_server(self.data)
        if orphan is not None:
            orphan.end(POSTGRES_ENDING)
        if self.data.exists():
            shutil.rmtree(self.data)

    def _initialise(self, superuser: str, password: str) -> None:
        password_file = self.data.with_name(f"{self.data.name}.pw")
        write_private(password_file, password)
        try:
            if self.user is not None:
                self.user.owns(password_file)
            self._run_initdb(
                f"--username={superuser}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            )
        finally:
            password_file.unlink(missing_ok=True)

    def _run_initdb(self, *options: str) -> None:
        result = subprocess.run(
            [str(self.parts.postgres("initdb")), "-D", str(self.data), *options],
            check=False,
            cwd="/",
            capture_output=True,
            text=True,
            env=server_environment(),
            **process_user(self.user),
        )
        if result.returncode != 0:
            raise StackError(_why(result.stderr, "PostgreSQL's data cannot be made"), result.stderr)

    @contextmanager
    def served(self, *options: str) -> Iterator[int]:
        """Runs the server on a free port, which is given.

        Args:
            options: more of the command line.

        Raises:
            StackError: it does not start.
        """
        port = any_free()
        log = self.data / "served.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [*self.command(port), *options],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=0o077,
                env=server_environment(),
                **process_user(self.user),
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_ready(self.data, server.pid):
                if server.poll() is not None or time.monotonic() > deadline:
                    told = "\n".join(last_lines(log, 10))
                    raise StackError(_why(told, "PostgreSQL does not start"), told)
                time.sleep(0.02)
            yield port
        finally:
            started = ProcessRef.of(server.pid)
            if started is not None:
                started.end(POSTGRES_ENDING)
            server.wait()
            log.unlink(missing_ok=True)


def _prepare(port: int, superuser: str, roles: Iterable[str], password: str) -> None:
    url = f"postgresql://{superuser}:{password}@{HOST}:{port}"
    try:
        with psycopg.connect(f"{url}/postgres", sslmode="disable", autocommit=True) as connection:
            platform_sql.apply(connection)
            for role in roles:
                platform_sql.set_password(connection, role, password)
        with psycopg.connect(f"{url}/template1", sslmode="disable", autocommit=True) as connection:
            platform_sql.keep_template(connection)
    except psycopg.Error as error:
        raise StackError(f"the fresh database cannot be prepared: {error}") from error


def _why(output: str, otherwise: str) -> str:
    if "No space left on device" in output:
        return f"{otherwise}: the disk is full"
    return f"{otherwise}: see the lines below"
