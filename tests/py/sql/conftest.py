"""Databases with the migrations and the helpers of the pgTAP scripts in them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
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


@pytest.fixture(scope="session")
def database(supabase_stack: SupabaseStack) -> Iterator[str]:
    """The URL, as its superuser, of a migrated database that no other process of the tests uses.

    Whoever sweeps, or claims for everybody, does so in a whole database.
    """
    with _migrated(supabase_stack) as url:
        yield url


@pytest.fixture(scope="module")
def own_database(supabase_stack: SupabaseStack) -> Iterator[str]:
    """Another one, for tests that leave behind a change to what all of it shares."""
    with _migrated(supabase_stack) as url:
        yield url


@contextmanager
def _migrated(stack: SupabaseStack) -> Iterator[str]:
    """A database with every migration and the helpers of the pgTAP scripts."""
    name = f"own_{secrets.token_hex(6)}"
    made, model = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(stack.admin_db_url, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template {} owner postgres").format(made, model))
        try:
            path = sql.SQL("alter database {} set search_path = public, extensions")
            admin.execute(path.format(made))
            url = make_conninfo(stack.admin_db_url, dbname=name)
            with psycopg.connect(make_conninfo(url, user="postgres"), autocommit=True) as owner:
                for migration in sorted(MIGRATIONS.iterdir()):
                    owner.execute(migration.read_bytes())
            with psycopg.connect(url, autocommit=True) as connection:
                run(connection, HELPERS)
            yield url
        finally:
            drop(admin, name)
