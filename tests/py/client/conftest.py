"""Clients of the real stack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support._async.people import client_of, sign_up, tendril_of
from vintner_client import AsyncVintner
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
async def anyone(supabase_stack: SupabaseStack) -> AsyncIterator[AsyncVintner]:
    """A client that is not signed in."""
    async with client_of(supabase_stack) as client:
        yield client


@pytest.fixture
async def ann(supabase_stack: SupabaseStack) -> AsyncIterator[AsyncVintner]:
    """A client signed in as a user of this test's own."""
    async with client_of(supabase_stack) as client:
        await sign_up(client)
        yield client


@pytest.fixture
async def bob(supabase_stack: SupabaseStack) -> AsyncIterator[AsyncVintner]:
    """Another user, who has nothing to do with the first."""
    async with client_of(supabase_stack) as client:
        await sign_up(client)
        yield client


@pytest.fixture
async def tendril(ann: AsyncVintner, supabase_stack: SupabaseStack) -> AsyncIterator[AsyncVintner]:
    """A client signed in as a Tendril of Ann's, ONLINE."""
    async with client_of(supabase_stack) as client:
        await tendril_of(ann, client)
        yield client
