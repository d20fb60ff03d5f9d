# Made by scripts/generate_sync.py from tests/py/client/conftest.py: run `make sync`.
"""Clients of the real stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support._sync.people import client_of, sign_up, tendril_of
from vintner_client import Vintner
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
def anyone(supabase_stack: SupabaseStack) -> Iterator[Vintner]:
    """A client that is not signed in."""
    with client_of(supabase_stack) as client:
        yield client


@pytest.fixture
def ann(supabase_stack: SupabaseStack) -> Iterator[Vintner]:
    """A client signed in as a user of this test's own."""
    with client_of(supabase_stack) as client:
        sign_up(client)
        yield client


@pytest.fixture
def bob(supabase_stack: SupabaseStack) -> Iterator[Vintner]:
    """Another user, who has nothing to do with the first."""
    with client_of(supabase_stack) as client:
        sign_up(client)
        yield client


@pytest.fixture
def tendril(ann: Vintner, supabase_stack: SupabaseStack) -> Iterator[Vintner]:
    """A client signed in as a Tendril of Ann's, ONLINE."""
    with client_of(supabase_stack) as client:
        tendril_of(ann, client)
        yield client
