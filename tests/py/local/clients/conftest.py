"""One database for this folder, and an API in front of it for each test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from .world import World, fresh_database, serving


@pytest.fixture(scope="session")
def clients_dsn() -> Iterator[str]:
    """The database, as its superuser."""
    with fresh_database(os.environ["VINTNER_TEST_ADMIN_DSN"]) as dsn:
        yield dsn


@pytest.fixture
async def world(clients_dsn: str) -> AsyncIterator[World]:
    """The whole API, the tables empty."""
    async with serving(clients_dsn) as running:
        running.sql("truncate public.authors, public.books, public.notes, public.ticks")
        yield running
