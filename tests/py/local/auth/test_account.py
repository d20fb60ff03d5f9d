"""What users do with themselves, and which tokens are believed."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from .conftest import PASSWORD, VERSION, Api, Sql

CREDENTIALS: Any = {"email": "vera@example.com", "password": PASSWORD}


@pytest.fixture
async def vera(api: Api) -> AsyncGoTrueClient:
    client = api.client()
    await client.sign_up(CREDENTIALS)
    return client


async def test_metadata_is_merged_and_null_removes(vera: AsyncGoTrueClient, query: Sql) -> None:
    await vera.update_user({"data": {"colour": "red", "size": 3}})
    answer = await vera.update_user({"data": {"colour": "green", "size": None}})
    assert answer.user.user_metadata["colour"] == "green"
    assert "size" not in answer.user.user_metadata
    (row,) = await query("select raw_user_meta_data as data, updated_at from auth.users")
    assert row["data"] == answer.user.user_metadata
    assert row["updated_at"] == answer.user.updated_at


async def test_new_password_ends_other_sessions(api: Api, vera: AsyncGoTrueClient) -> None:
    other = api.client()
    await other.sign_in_with_password(CREDENTIALS)
    await vera.update_user({"password": "another fine password"})
    assert await vera.get_user() is not None
    with pytest.raises(AuthApiError) as caught:
        await other.get_user()
    assert caught.value.code == "session_not_found"
    with pytest.raises(AuthApiError) as caught:
        await other.sign_in_with_password(CREDENTIALS)
    assert caught.value.code == "invalid_credentials"
    changed: Any = {**CREDENTIALS, "password": "another fine password"}
    await other.sign_in_with_password(changed)


async def test_refused_changes(api: Api, vera: AsyncGoTrueClient) -> None:
    await api.client().sign_up({"email": "otto@example.com", "password": PASSWORD})

    async def refusal(changes: Any) -> tuple[int, str | None]:
        with pytest.raises(AuthApiError) as caught:
            await vera.update_user(changes)
        return caught.value.status, caught.value.code

    assert await refusal({"password": PASSWORD}) == (422, "same_password")
    assert await refusal({"email": "Otto@example.com"}) == (422, "email_exists")
    assert await refusal({"email": "new@example.com"}) == (501, "not_implemented")
    assert await refusal({"phone": "15550100"}) == (501, "not_implemented")
    assert await refusal({"app_metadata": {"role": "owner"}}) == (403, "not_admin")
    with pytest.raises(AuthWeakPasswordError):
        await vera.update_user({"password": "short"})
    unchanged = await vera.update_user({"email": "Vera@example.com"})
    assert unchanged.user.email == "vera@example.com"


async def test_deleted_user(api: Api, vera: AsyncGoTrueClient, query: Sql) -> None:
    await query("delete from auth.users")
    with pytest.raises(AuthApiError) as caught:
        await vera.get_user()
    assert (caught.value.status, caught.value.code) == (403, "user_not_found")


async def test_keys_are_no_users(api: Api) -> None:
    async with api.http() as http:
        opaque = await http.get("/user", headers=VERSION)
    assert (opaque.status_code, opaque.json()) == (
        403,
        {"code": "bad_jwt", "message": "invalid claim: missing sub claim"},
    )
    async with api.http(key=api.keys.anon) as http:
        bare = await http.get("/user", headers=VERSION)
    assert (bare.status_code, bare.json()) == (
        401,
        {"code": "no_authorization", "message": "This endpoint requires a Bearer token"},
    )


async def test_tokens_that_do_not_hold(api: Api, vera: AsyncGoTrueClient) -> None:
    session = await vera.get_session()
    assert session is not None
    key = api.keys.jwt_secret
    claims = jwt.decode(session.access_token, key, algorithms=["HS256"], audience="authenticated")

    async def answer_to(secret: str, algorithm: str, **changes: object) -> tuple[int, str | None]:
        token = jwt.encode({**claims, **changes}, secret, algorithm=algorithm)
        async with api.http(token=token) as http:
            answer = await http.get("/user", headers=VERSION)
        return answer.status_code, answer.json().get("code")

    assert await answer_to(key, "HS256", exp=int(time.time()) + 60) == (200, None)
    assert await answer_to("x" * 40, "HS256") == (403, "bad_jwt")
    assert await answer_to("", "none") == (403, "bad_jwt")
    assert await answer_to("x" * 64, "HS512") == (403, "bad_jwt")
    assert await answer_to(key, "HS256", exp=1) == (403, "bad_jwt")
    assert await answer_to(key, "HS256", sub="") == (403, "bad_jwt")
    assert await answer_to(key, "HS256", sub="7") == (400, "bad_jwt")
    assert await answer_to(key, "HS256", aud="elsewhere") == (400, "validation_failed")
    assert await answer_to(key, "HS256", session_id="7") == (403, "bad_jwt")
    assert await answer_to(key, "HS256", session_id=str(uuid4())) == (403, "session_not_found")
