"""A job that runs, and its owner behind a bad network."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support._async.people import PASSWORD, client_of
from support.following import Writer
from support.proxy import Proxy, proxy_to
from vintner_client import AsyncVintner
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
async def writer(ann: AsyncVintner, tendril: AsyncVintner) -> Writer:
    """The Tendril of a job of Ann's."""
    return await Writer.of_a_new_job(ann, tendril)


@pytest.fixture
async def proxy(supabase_stack: SupabaseStack) -> AsyncIterator[Proxy]:
    """A bad network in front of the stack."""
    async with proxy_to(supabase_stack.url) as proxy:
        yield proxy


@pytest.fixture
async def far(
    ann: AsyncVintner, proxy: Proxy, supabase_stack: SupabaseStack
) -> AsyncIterator[AsyncVintner]:
    """Ann, behind the proxy."""
    assert ann.auth.session is not None
    assert ann.auth.session.email is not None
    async with client_of(supabase_stack, url=proxy.url) as client:
        await client.auth.sign_in(email=ann.auth.session.email, password=PASSWORD)
        yield client
