"""The stack's database with the helpers of the pgTAP scripts in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from support.databases import drop
from support.tap import HELPERS, run
from vintner_local.platform_sql import TEMPLATE
from vintner_local.pytest_plugin import SupabaseStack

MIGRATIONS = Path(__file__).parents[3] / "supabase" / "migrations"

ANY_LOCK = 7266
"""Keeps parallel test processes from making the helpers at the same time."""


@pytest.fixture(scope="session")
def database(supabase_stack: SupabaseStack) -> str:
    """The database's URL as its superuser."""
    with psycopg.connect(supabase_stack.admin_db_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ANY_LOCK])
        run(connection, HELPERS)
    return supabase_stack.admin_db_url


@pytest.fixture(scope="module")
def own_database(supabase_stack: SupabaseStack) -> Iterator[str]:
    """A migrated database with the helpers, for tests that change or lock what all of it shares."""
    name = f"own_{secrets.token_hex(6)}"
    made, model = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(supabase_stack.admin_db_url, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template {} owner postgres").format(made, model))
        try:
            path = sql.SQL("alter database {} set search_path = public, extensions")
            admin.execute(path.format(made))
            url = make_conninfo(supabase_stack.admin_db_url, dbname=name)
            with psycopg.connect(make_conninfo(url, user="postgres"), autocommit=True) as owner:
                for migration in sorted(MIGRATIONS.iterdir()):
                    owner.execute(migration.read_bytes())
            with psycopg.connect(url, autocommit=True) as connection:
                run(connection, HELPERS)
            yield url
        finally:
            drop(admin, name)
