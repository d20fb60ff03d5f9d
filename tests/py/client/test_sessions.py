"""Signing in, and staying signed in."""

from __future__ import annotations

import asyncio
import threading
import traceback
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from support._async.people import PASSWORD, client_of, new_email, sign_up
from support._sync import people as sync_people
from support.answering import answering
from support.faulty import faulty_front
from support.keeping import Counting, Failing, Gate, stale
from support.waiting import until
from vintner_client import AsyncVintner, MemoryStorage, Session, errors
from vintner_client._async.http import AsyncBearerAuth
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


def test_a_session_that_does_not_parse_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="expires_at") as refused:
        Session.model_validate_json('{"access_token": "access-secret", "expires_at": "soon"}')
    assert "access-secret" not in str(refused.value)


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
            await asyncio.gather(*(client.vineyards.list().all() for _ in range(5)))
            assert front.failed["token"] == 1
            with pytest.raises(errors.ServerFailed):
                await client.auth.access_token(fresh=True)
            front.answers = {}

            async def is_renewed() -> bool:
                assert await client.vineyards.list().all() == []
                return client.auth.session != almost_over

            await until(is_renewed)
        front.answers = {"token": 503}
        async with client_of(supabase_stack, url=front.url, session=session) as client:
            with pytest.raises(errors.ServerFailed):
                await client.vineyards.list().all()


def test_who_signs_in_while_a_session_is_renewed_stays_signed_in(
    supabase_stack: SupabaseStack,
) -> None:
    gate = Gate()
    with (
        sync_people.client_of(supabase_stack, storage=gate) as client,
        sync_people.client_of(supabase_stack) as bob,
    ):
        sync_people.sign_up(client)
        email = sync_people.sign_up(bob)
        with sync_people.client_of(supabase_stack, storage=gate, session=stale(client)) as shared:
            renewing = threading.Thread(target=shared.auth.access_token)
            signing_in = threading.Thread(
                target=shared.auth.sign_in, kwargs={"email": email, "password": PASSWORD}
            )
            gate.close()
            renewing.start()
            assert gate.reached.wait(60)
            signing_in.start()
            signing_in.join(2)
            gate.open()
            renewing.join()
            signing_in.join()
            assert shared.auth.user_id == bob.auth.user_id


async def test_a_token_that_was_renewed_meanwhile_is_not_renewed_again(ann: AsyncVintner) -> None:
    """Many requests may be told at once that the token before it is over."""
    request = httpx.Request("GET", f"{ann.url}/rest/v1/vines")
    flow = AsyncBearerAuth(ann.auth).async_auth_flow(request)
    await anext(flow)
    await asyncio.sleep(1.1)  # tokens of one second are the same
    await ann.auth.access_token(fresh=True)
    session = ann.auth.session
    assert session is not None
    refusal = httpx.Response(401, headers={"www-authenticate": 'Bearer error="invalid_token"'})

    again = await flow.asend(refusal)

    assert again.headers["Authorization"] == f"Bearer {session.access_token}"
    assert ann.auth.session is session


async def test_a_storage_that_fails_later_fails_no_request(
    ann: AsyncVintner, supabase_stack: SupabaseStack, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Failing()
    async with client_of(supabase_stack, storage=storage, session=stale(ann)) as client:
        storage.fails = True
        assert await client.vineyards.list().all() == []
        assert "storage failed" in caplog.text
        await client.auth.sign_out()
        assert client.auth.session is None
        with pytest.raises(OSError, match="disk"):
            await sign_up(client)


async def test_no_error_quotes_a_token() -> None:
    async with (
        answering('{"access_token": "secret"}') as url,
        AsyncVintner(url=url, key="any") as client,
    ):
        with pytest.raises(errors.ServerFailed) as failure:
            await client.auth.sign_in(email=new_email(), password=PASSWORD)
        with pytest.raises(errors.ServerFailed) as other:
            await client.accounts.accept_invitation(token="t")
    for raised in (failure, other):
        assert "secret" not in "".join(traceback.format_exception(raised.value))
