"""The stack's database with the helpers of the pgTAP scripts in it."""

from __future__ import annotations

import psycopg
import pytest

from support.tap import HELPERS, run
from vintner_local.pytest_plugin import SupabaseStack

ANY_LOCK = 7266
"""Keeps parallel test processes from making the helpers at the same time."""


@pytest.fixture(scope="session")
def database(supabase_stack: SupabaseStack) -> str:
    """The database's URL as its superuser."""
    with psycopg.connect(supabase_stack.admin_db_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ANY_LOCK])
        run(connection, HELPERS)
    return supabase_stack.admin_db_url
