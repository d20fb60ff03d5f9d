"""The client knows every code that the database raises, and no other."""

from __future__ import annotations

import psycopg

from vintner_client.errors import BY_CODE
from vintner_local.pytest_plugin import SupabaseStack


def test_each_code_of_the_database_has_a_class(supabase_stack: SupabaseStack) -> None:
    with psycopg.connect(supabase_stack.admin_db_url) as connection:
        rows = connection.execute("select code from private.error_codes").fetchall()

    assert {code for (code,) in rows} == set(BY_CODE)
