"""Signing in, and staying signed in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from support._async.people import PASSWORD, client_of, new_email
from support.answering import answering
from support.faulty import faulty_front
from support.keeping import Counting, stale
from vintner_client import AsyncVintner, MemoryStorage, Session, errors
from vintner_local.pytest_plugin import SupabaseStack


def test_a_session_does_not_show_its_tokens() -> None:
    session = Session(
        access_token="access-secret",
        refresh_token="refresh-secret",
        expires_at=datetime.now(UTC),
        lifetime=3600,
        user_id=UUID("6d0bd6a2-7a5c-4a3b-9a5e-0f4c4a7f7d11"),
    )
    assert "secret" not in repr(session)


async def test_a_stale_session_is_renewed_once_for_all(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    before = stale(ann)
    storage = Counting()

    async with client_of(supabase_stack, session=before, storage=storage) as client:
        await asyncio.gather(*(client.vineyards.list().all() for _ in range(5)))
        after = client.auth.session

    assert storage.writes == 2  # the one that was given, and its successor
    assert after is not None
    assert after.refresh_token != before.refresh_token
    assert after.user_id == before.user_id


async def test_a_tendrils_token_is_used_when_it_is_needed(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    made = await ann.tendrils.register(name="cellar")
    storage = MemoryStorage()
    async with client_of(supabase_stack, storage=storage, session=ann.auth.session):
        pass

    # what is kept is another's
    async with client_of(supabase_stack, storage=storage, tendril_token=made.token) as tendril:
        await asyncio.gather(
            *(tendril.lease.heartbeat(version="1.0.0", running_job_ids=[]) for _ in range(3))
        )
        session = tendril.auth.session
        assert session is not None
        assert session.user_id == made.worker_id
    async with client_of(supabase_stack, storage=storage, tendril_token=made.token) as again:
        assert again.auth.session == session
        await ann.tendrils.rotate_token(made.worker_id)
        with pytest.raises(errors.WrongCredentials, match="token is not accepted"):
            await again.lease.heartbeat(version="1.0.0")


async def test_auth_that_answers_something_else_is_told(
    supabase_stack: SupabaseStack, ann: AsyncVintner
) -> None:
    """Studio and the like answer every path with a page."""
    async with answering("<html>hello</html>") as url, AsyncVintner(url=url, key="any") as client:
        with pytest.raises(errors.ServerFailed, match="Auth's answer is not as expected"):
            await client.auth.sign_in(email=new_email(), password=PASSWORD)
    async with (
        answering("{}") as url,
        AsyncVintner(url=url, key="any", session=stale(ann)) as client,
    ):
        with pytest.raises(errors.ServerFailed, match="Auth's answer is not as expected"):
            await client.vineyards.list().all()


async def test_a_token_that_still_holds_is_used_while_auth_is_away(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    session = stale(ann)
    almost_over = session.model_copy(
        update={"expires_at": session.expires_at + timedelta(seconds=50)}
    )
    async with faulty_front(supabase_stack.url) as front:
        front.answers = {"token": 503}
        async with client_of(supabase_stack, url=front.url, session=almost_over) as client:
            assert await client.vineyards.list().all() == []
            assert front.failed["token"] == 1
            with pytest.raises(errors.ServerFailed):
                await client.auth.access_token(fresh=True)
            front.answers = {}
            assert await client.vineyards.list().all() == []
            assert client.auth.session != almost_over
        front.answers = {"token": 503}
        async with client_of(supabase_stack, url=front.url, session=session) as client:
            with pytest.raises(errors.ServerFailed):
                await client.vineyards.list().all()
