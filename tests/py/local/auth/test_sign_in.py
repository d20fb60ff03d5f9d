"""Sign-up and sign-in, through the official client and bare HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from .conftest import PASSWORD, VERSION, Api, Sql

MADE_BY_SQL = """
with made as (
  insert into auth.users (instance_id, id, aud, role, email, encrypted_password,
    email_confirmed_at, confirmation_token, recovery_token, email_change, email_change_token_new,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
  values ('00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated',
    'authenticated', 'seeded@example.com', extensions.crypt(%s, extensions.gen_salt('bf', 10)),
    now(), '', '', '', '', '{"provider": "email", "providers": ["email"]}', '{}', now(), now())
  returning id, email
)
insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
select id::text, id, jsonb_build_object('sub', id, 'email', email, 'email_verified', true),
       'email', now(), now()
from made
"""


async def test_sign_up_gives_a_session(api: Api, query: Sql) -> None:
    before = int(time.time())
    answer = await api.client().sign_up(
        {
            "email": "Vera@Example.com",
            "password": PASSWORD,
            "options": {"data": {"full_name": "Vera"}},
        }
    )
    session, user = answer.session, answer.user
    assert session is not None
    assert user is not None
    assert user.email == "vera@example.com"
    assert user.role == "authenticated"
    assert user.email_confirmed_at is not None
    assert user.last_sign_in_at is not None
    assert user.app_metadata == {"provider": "email", "providers": ["email"]}
    assert user.user_metadata == {
        "full_name": "Vera",
        "sub": user.id,
        "email": "vera@example.com",
        "email_verified": True,
        "phone_verified": False,
    }
    assert user.identities is not None
    assert [one.provider for one in user.identities] == ["email"]
    assert user.identities[0].identity_data["sub"] == user.id
    claims = jwt.decode(
        session.access_token, api.keys.jwt_secret, algorithms=["HS256"], audience="authenticated"
    )
    assert claims.pop("exp") - claims["iat"] == session.expires_in == 3600
    assert claims.pop("iat") >= before
    (row,) = await query("select id::text, created_at from auth.sessions")
    assert claims == {
        "iss": "http://127.0.0.1:54321/auth/v1",
        "sub": user.id,
        "aud": "authenticated",
        "email": "vera@example.com",
        "phone": "",
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(row["created_at"].timestamp())}],
        "session_id": row["id"],
        "is_anonymous": False,
    }


async def test_sign_in_whatever_the_case_of_the_address(api: Api) -> None:
    await api.client().sign_up({"email": "vera@example.com", "password": PASSWORD})
    client = api.client()
    answer = await client.sign_in_with_password({"email": "VERA@example.com", "password": PASSWORD})
    assert answer.session is not None
    whose = await client.get_user()
    assert whose is not None
    assert whose.user.email == "vera@example.com"


async def test_wrong_password_and_unknown_user_look_alike(api: Api) -> None:
    await api.client().sign_up({"email": "vera@example.com", "password": PASSWORD})

    async def attempt(email: str) -> tuple[AuthApiError, float]:
        start = time.perf_counter()
        with pytest.raises(AuthApiError) as caught:
            await api.client().sign_in_with_password({"email": email, "password": "not this"})
        return caught.value, time.perf_counter() - start

    attempts = {
        email: [await attempt(email) for _ in range(5)]
        for email in ("vera@example.com", "nobody@example.com")
    }
    for tries in attempts.values():
        for error, _ in tries:
            assert (error.status, error.code) == (400, "invalid_credentials")
            assert error.message == "Invalid login credentials"
    known, unknown = (min(took for _, took in tries) for tries in attempts.values())
    assert unknown > known / 2


async def test_second_sign_up_is_refused(api: Api) -> None:
    await api.client().sign_up({"email": "vera@example.com", "password": PASSWORD})
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_up({"email": "Vera@example.com", "password": PASSWORD})
    assert (caught.value.status, caught.value.code) == (422, "user_already_exists")
    assert caught.value.message == "User already registered"


async def test_weak_password(api: Api) -> None:
    with pytest.raises(AuthWeakPasswordError) as caught:
        await api.client().sign_up({"email": "vera@example.com", "password": "short"})
    assert caught.value.reasons == ["length"]


async def test_password_longer_than_bcrypt_reads(api: Api) -> None:
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_up({"email": "vera@example.com", "password": "ä" * 37})
    assert (caught.value.status, caught.value.code) == (400, "validation_failed")
    answer = await api.client().sign_up({"email": "vera@example.com", "password": "ä" * 36})
    assert answer.session is not None


async def test_what_is_no_address(api: Api) -> None:
    for email in ("vera", "vera@", "vera @example.com", f"{'v' * 250}@example.com"):
        with pytest.raises(AuthApiError) as caught:
            await api.client().sign_up({"email": email, "password": PASSWORD})
        assert (caught.value.status, caught.value.code) == (400, "validation_failed")


async def test_user_made_by_sql_signs_in(api: Api, query: Sql) -> None:
    await query(MADE_BY_SQL, PASSWORD)
    answer = await api.client().sign_in_with_password(
        {"email": "seeded@example.com", "password": PASSWORD}
    )
    assert answer.user is not None
    assert answer.user.identities is not None
    assert len(answer.user.identities) == 1


async def test_null_that_the_real_server_cannot_read(api: Api, query: Sql) -> None:
    await query(MADE_BY_SQL, PASSWORD)
    credentials: Any = {"email": "seeded@example.com", "password": PASSWORD}
    for column in ("confirmation_token", "recovery_token", "email_change"):
        await query(f"update auth.users set {column} = null")
        with pytest.raises(AuthApiError) as caught:
            await api.client().sign_in_with_password(credentials)
        assert (caught.value.status, caught.value.code) == (500, "unexpected_failure")
        assert caught.value.message == "Database error querying schema"
        await query(f"update auth.users set {column} = ''")
    await api.client().sign_in_with_password(credentials)


async def test_unconfirmed_user_may_not_sign_in(api: Api, query: Sql) -> None:
    await query(MADE_BY_SQL, PASSWORD)
    await query("update auth.users set email_confirmed_at = null")
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_in_with_password(
            {"email": "seeded@example.com", "password": PASSWORD}
        )
    assert caught.value.code == "email_not_confirmed"


async def test_banned_user_is_refused_everywhere(api: Api, query: Sql) -> None:
    client = api.client()
    await client.sign_up({"email": "vera@example.com", "password": PASSWORD})
    await query("update auth.users set banned_until = %s", datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(AuthApiError) as refused:
        await client.refresh_session()
    assert (refused.value.status, refused.value.code) == (400, "user_banned")
    with pytest.raises(AuthApiError) as refused:
        await client.get_user()
    assert (refused.value.status, refused.value.code) == (403, "user_banned")
    with pytest.raises(AuthApiError) as refused:
        await client.sign_in_with_password({"email": "vera@example.com", "password": PASSWORD})
    assert (refused.value.status, refused.value.code) == (400, "user_banned")


async def test_anonymous_and_phone_are_disabled(api: Api) -> None:
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_in_anonymously()
    assert (caught.value.status, caught.value.code) == (422, "anonymous_provider_disabled")
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_in_with_password({"phone": "15550100", "password": PASSWORD})
    assert (caught.value.status, caught.value.code) == (422, "phone_provider_disabled")


async def test_answer_in_both_shapes(api: Api) -> None:
    wrong = {"email": "vera@example.com", "password": "not this"}
    async with api.http() as http:
        old = await http.post("/token?grant_type=password", json=wrong)
        new = await http.post("/token?grant_type=password", json=wrong, headers=VERSION)
        odd = await http.post(
            "/token?grant_type=password", json=wrong, headers={"X-Supabase-Api-Version": "soon"}
        )
    assert old.status_code == new.status_code == 400
    assert (
        old.json()
        == odd.json()
        == {
            "code": 400,
            "error_code": "invalid_credentials",
            "msg": "Invalid login credentials",
        }
    )
    assert "x-supabase-api-version" not in old.headers
    assert new.json() == {"code": "invalid_credentials", "message": "Invalid login credentials"}
    assert new.headers["x-supabase-api-version"] == "2024-01-01"
    assert new.headers["x-sb-error-code"] == "invalid_credentials"


async def test_what_is_no_body(api: Api) -> None:
    async with api.http() as http:
        for body in (b"", b"{", b"[]", b'{"email": 1}'):
            answer = await http.post("/signup", content=body, headers=VERSION)
            assert (body, answer.status_code) == (body, 400)
            assert answer.json()["code"] == "bad_json"


async def test_errors_never_repeat_the_password(api: Api) -> None:
    async with api.http() as http:
        answer = await http.post("/signup", content=b'{"password": ["s3cret"]}')
    assert answer.status_code == 400
    assert "s3cret" not in answer.text
