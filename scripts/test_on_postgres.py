"""Applies every migration to an empty older PostgreSQL with the Supabase CLI; runs tests/sql there.

Run by `make test-pg VERSION=15`, 16 or 17. Everything else is tested on 18, which the local stack
brings; hosted projects run 15 or 17.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from vintner_local.install import Parts, install, install_packages, link_libraries
from vintner_local.keys import Keys
from vintner_local.lifecycle import LOGIN_ROLES
from vintner_local.migrate import push
from vintner_local.postgres import Cluster
from vintner_local.pytest_plugin import ADMIN_VARIABLE, STACK_VARIABLE, SupabaseStack
from vintner_local.server_user import place_for_cluster, server_user
from vintner_local.stack import SUPERUSER, StackState, find_stack, new_password

PROJECT = Path(__file__).parents[1]
PACKAGES = PROJECT / "tests" / "postgres"
ONLY_NEWER = ("extension_control_path=", "dynamic_library_path=")
"""Settings that older ones lack, or need no more: their extensions lie in their own folders."""


class OlderCluster(Cluster):
    """A cluster of a PostgreSQL before 18."""

    def command(self, port: int) -> list[str]:
        """The command line, without what came with 18."""
        words = iter(super().command(port))
        found = [next(words)]
        for option, value in zip(words, words, strict=True):
            if not value.startswith(ONLY_NEWER):
                found += [option, value]
        return found


def server(version: str, folder: Path, newer: Parts) -> Parts:
    """That PostgreSQL with pgTAP, in a folder."""
    shutil.copytree(install_packages(PACKAGES / version, print), folder, symlinks=True)
    link_libraries(folder)
    older = Parts(folder)
    native = older.postgres("postgres").parents[1]
    for file in (newer.extensions / "extension").glob("pgtap*"):
        shutil.copy(file, native / "share/postgresql/extension")
    return older


def main() -> int:
    """The exit status of the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", choices=sorted(path.name for path in PACKAGES.iterdir()))
    version = parser.parse_args().version
    newer = install(print)
    folder = Path(tempfile.mkdtemp(prefix=f"vintner-pg{version}-"))
    folder.chmod(0o755)
    stack, user = find_stack(PROJECT, folder / "stack"), server_user(None)
    stack.make_folder()
    state = StackState(
        api_port=0,
        db_port=0,
        keys=Keys.generate(),
        password=new_password(),
        cluster=place_for_cluster(stack, user),
    )
    cluster = OlderCluster(state.cluster, server(version, folder / "server", newer), user)
    try:
        cluster.create(SUPERUSER, LOGIN_ROLES, state.password)
        with cluster.served() as port:
            state = state.model_copy(update={"db_port": port})
            for name in push(stack, state, newer):
                print(f"applied {name}")
            described = SupabaseStack.of(stack, state)
            return subprocess.run(
                [sys.executable, "-m", "pytest", "tests/py/sql/test_pgtap.py"],
                check=False,
                cwd=PROJECT,
                env={
                    **os.environ,
                    STACK_VARIABLE: described.model_dump_json(),
                    ADMIN_VARIABLE: described.admin_db_url,
                },
            ).returncode
    finally:
        shutil.rmtree(state.cluster, ignore_errors=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
