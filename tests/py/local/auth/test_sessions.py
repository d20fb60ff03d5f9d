"""Refresh tokens and sign-out."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from httpx import Response
from supabase_auth import AsyncGoTrueClient
from supabase_auth.types import Session

from .conftest import PASSWORD, VERSION, Api, Sql, serving

CREDENTIALS: Any = {"email": "vera@example.com", "password": PASSWORD}


async def signed_up(api: Api) -> Session:
    answer = await api.client().sign_up(CREDENTIALS)
    assert answer.session is not None
    return answer.session


async def signed_in(api: Api) -> tuple[AsyncGoTrueClient, Session]:
    client = api.client()
    answer = await client.sign_in_with_password(CREDENTIALS)
    assert answer.session is not None
    return client, answer.session


async def refresh(api: Api, token: str) -> Response:
    async with api.http() as http:
        return await http.post(
            "/token?grant_type=refresh_token", json={"refresh_token": token}, headers=VERSION
        )


async def test_refresh_rotates_the_token(api: Api, query: Sql) -> None:
    client = api.client()
    first = (await client.sign_up(CREDENTIALS)).session
    assert first is not None
    second = (await client.refresh_session()).session
    assert second is not None
    assert second.refresh_token != first.refresh_token
    assert second.user.id == first.user.id
    rows = await query("select token, parent, revoked from auth.refresh_tokens order by id")
    assert rows == [
        {"token": first.refresh_token, "parent": None, "revoked": True},
        {"token": second.refresh_token, "parent": first.refresh_token, "revoked": False},
    ]
    (session,) = await query("select refreshed_at is not null as refreshed from auth.sessions")
    assert session["refreshed"]


async def test_reuse_at_once_gives_the_same_child(api: Api) -> None:
    first = await signed_up(api)
    children = [await refresh(api, first.refresh_token) for _ in range(2)]
    assert [child.status_code for child in children] == [200, 200]
    tokens = {child.json()["refresh_token"] for child in children}
    assert len(tokens) == 1
    assert first.refresh_token not in tokens


async def test_parallel_refreshes_agree(api: Api, query: Sql) -> None:
    """Twenty that all begin before the first may write."""
    first = await signed_up(api)
    waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(api.dsn) as holder:
        await holder.execute("select 1 from auth.refresh_tokens for update")
        asked = [asyncio.create_task(refresh(api, first.refresh_token)) for _ in range(20)]
        for _ in range(100):
            if len(await query(waiting)) >= 5:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the refreshes do not wait for the token")
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    (live,) = await query("select count(*) as n from auth.refresh_tokens where not revoked")
    assert live["n"] == 1


async def test_grandparent_within_the_interval_gives_the_live_token(api: Api) -> None:
    first = await signed_up(api)
    second = (await refresh(api, first.refresh_token)).json()
    third = (await refresh(api, second["refresh_token"])).json()
    again = await refresh(api, first.refresh_token)
    assert again.json()["refresh_token"] == third["refresh_token"]


async def test_answer_that_was_lost_long_ago_is_given_again(api: Api, query: Sql) -> None:
    """The real server lets a client whose child token was never used come back at any time."""
    first = await signed_up(api)
    second = (await refresh(api, first.refresh_token)).json()
    await query("update auth.refresh_tokens set updated_at = updated_at - interval '11 s'")
    again = await refresh(api, first.refresh_token)
    assert again.json()["refresh_token"] == second["refresh_token"]


async def test_late_reuse_ends_the_family(api: Api, query: Sql) -> None:
    first = await signed_up(api)
    second = (await refresh(api, first.refresh_token)).json()
    third = (await refresh(api, second["refresh_token"])).json()
    await query("update auth.refresh_tokens set updated_at = updated_at - interval '11 s'")
    stolen = await refresh(api, first.refresh_token)
    assert stolen.status_code == 400
    assert stolen.json() == {
        "code": "refresh_token_already_used",
        "message": "Invalid Refresh Token: Already Used",
    }
    live = await refresh(api, third["refresh_token"])
    assert (live.status_code, live.json()["code"]) == (400, "refresh_token_already_used")


async def test_late_reuse_leaves_other_sessions_alone(api: Api, query: Sql) -> None:
    first = await signed_up(api)
    _, other = await signed_in(api)
    second = (await refresh(api, first.refresh_token)).json()
    await refresh(api, second["refresh_token"])
    await query("update auth.refresh_tokens set updated_at = updated_at - interval '11 s'")
    assert (await refresh(api, first.refresh_token)).status_code == 400
    assert (await refresh(api, other.refresh_token)).status_code == 200


async def test_unknown_and_missing_refresh_token(api: Api) -> None:
    unknown = await refresh(api, "nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "refresh_token_not_found")
    missing = await refresh(api, "")
    assert missing.json() == {
        "error": "invalid_request",
        "error_description": "refresh_token required",
    }


async def test_session_past_its_end(api: Api, query: Sql) -> None:
    first = await signed_up(api)
    await query("update auth.sessions set not_after = now() - interval '1 s'")
    late = await refresh(api, first.refresh_token)
    assert (late.status_code, late.json()["code"]) == (400, "session_expired")


async def ended(api: Api, session: Session) -> bool:
    async with api.http(token=session.access_token) as http:
        answer = await http.get("/user", headers=VERSION)
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (403, "session_not_found")
    assert (await refresh(api, session.refresh_token)).json()["code"] == "refresh_token_not_found"
    return True


@pytest.mark.parametrize(
    ("scope", "left"),
    [("global", [True, True]), ("local", [True, False]), ("others", [False, True])],
)
async def test_sign_out(api: Api, scope: Any, left: list[bool]) -> None:
    await signed_up(api)
    (client, mine), (_, other) = await signed_in(api), await signed_in(api)
    await client.sign_out({"scope": scope})
    assert [await ended(api, session) for session in (mine, other)] == left


async def test_unknown_scope(api: Api) -> None:
    session = await signed_up(api)
    async with api.http(token=session.access_token) as http:
        answer = await http.post("/logout?scope=half", headers=VERSION)
    assert answer.json()["message"] == 'Unsupported logout scope "half"'
    assert not await ended(api, session)


async def test_token_expires_when_the_settings_say(dsn: str) -> None:
    async with serving(dsn, jwt_expiry=1) as api:
        session = await signed_up(api)
        assert session.expires_in == 1
        await asyncio.sleep(2.1)
        async with api.http(token=session.access_token) as http:
            late = await http.get("/user", headers=VERSION)
        assert (late.status_code, late.json()["code"]) == (403, "bad_jwt")
        assert late.json()["message"].endswith("token is expired")
        assert (await refresh(api, session.refresh_token)).status_code == 200


async def test_signing_in_many_times_at_once(api: Api) -> None:
    await signed_up(api)
    sessions = await asyncio.gather(*(signed_in(api) for _ in range(15)))
    assert len({session.refresh_token for _, session in sessions}) == 15


async def test_client_renews_an_expiring_session(dsn: str) -> None:
    async with serving(dsn, jwt_expiry=1) as api:
        client = api.client()
        first = (await client.sign_up(CREDENTIALS)).session
        await asyncio.sleep(1.2)
        renewed = await client.get_session()
        assert first is not None
        assert renewed is not None
        assert renewed.refresh_token != first.refresh_token
        assert await client.get_user(renewed.access_token) is not None
