"""Administration with the secret key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import bcrypt
import pytest
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError

from .conftest import PASSWORD, VERSION, Api, Sql


@pytest.fixture
def admin(api: Api) -> AsyncGoTrueClient:
    return api.client(api.keys.secret)


async def test_create_read_update_delete(api: Api, admin: AsyncGoTrueClient, query: Sql) -> None:
    made = await admin.admin.create_user(
        {
            "email": "Otto@example.com",
            "password": PASSWORD,
            "email_confirm": True,
            "user_metadata": {"name": "Otto"},
            "app_metadata": {"tier": "gold"},
        }
    )
    user = made.user
    assert user.email == "otto@example.com"
    assert user.role == "authenticated"
    assert user.app_metadata == {"provider": "email", "providers": ["email"], "tier": "gold"}
    assert user.user_metadata == {"name": "Otto", "email_verified": True}
    client = api.client()
    await client.sign_in_with_password({"email": "otto@example.com", "password": PASSWORD})
    changed = await admin.admin.update_user_by_id(
        user.id,
        {
            "email": "otto@vines.example.com",
            "email_confirm": True,
            "password": "another fine password",
            "app_metadata": {"tier": None},
        },
    )
    assert changed.user.email == "otto@vines.example.com"
    assert changed.user.app_metadata == {"provider": "email", "providers": ["email"]}
    assert changed.user.identities is not None
    assert changed.user.identities[0].identity_data["email"] == "otto@vines.example.com"
    with pytest.raises(AuthApiError) as caught:
        await client.get_user()
    assert caught.value.code == "session_not_found"
    await client.sign_in_with_password(
        {"email": "otto@vines.example.com", "password": "another fine password"}
    )
    assert (await admin.admin.get_user_by_id(user.id)).user.email == "otto@vines.example.com"
    await admin.admin.delete_user(user.id)
    with pytest.raises(AuthApiError) as caught:
        await admin.admin.get_user_by_id(user.id)
    assert (caught.value.status, caught.value.code) == (404, "user_not_found")
    with pytest.raises(AuthApiError) as caught:
        await client.refresh_session()
    assert str(caught.value.code) == "refresh_token_not_found"
    for table in ("users", "identities", "sessions", "refresh_tokens"):
        assert await query(f"select 1 from auth.{table}") == []


async def test_unconfirmed_without_password(api: Api, admin: AsyncGoTrueClient) -> None:
    made = await admin.admin.create_user({"email": "otto@example.com"})
    assert made.user.email_confirmed_at is None
    await admin.admin.update_user_by_id(made.user.id, {"password": PASSWORD})
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_in_with_password(
            {"email": "otto@example.com", "password": PASSWORD}
        )
    assert caught.value.code == "email_not_confirmed"


async def test_given_hash_and_id(api: Api, admin: AsyncGoTrueClient) -> None:
    known, user_id = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(), str(uuid4())
    attributes: Any = {
        "id": user_id,
        "email": "otto@example.com",
        "password_hash": known,
        "email_confirm": True,
    }
    await admin.admin.create_user(attributes)
    answer = await api.client().sign_in_with_password(
        {"email": "otto@example.com", "password": PASSWORD}
    )
    assert answer.user is not None
    assert answer.user.id == user_id


async def test_ban_and_pardon(api: Api, admin: AsyncGoTrueClient) -> None:
    credentials: Any = {"email": "otto@example.com", "password": PASSWORD}
    confirmed: Any = {**credentials, "email_confirm": True}
    user = (await admin.admin.create_user(confirmed)).user
    banned = await admin.admin.update_user_by_id(user.id, {"ban_duration": "1h30m"})
    assert banned.user.banned_until is not None
    left = datetime.fromisoformat(banned.user.banned_until) - datetime.now(UTC)
    assert timedelta(minutes=89) < left < timedelta(minutes=91)
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_in_with_password(credentials)
    assert caught.value.code == "user_banned"
    await admin.admin.update_user_by_id(user.id, {"ban_duration": "none"})
    await api.client().sign_in_with_password(credentials)


async def test_what_is_no_duration(admin: AsyncGoTrueClient) -> None:
    for duration in ("1", "1 h", "h", "1d", "-", "99999999999h"):
        with pytest.raises(AuthApiError) as caught:
            await admin.admin.create_user({"email": "otto@example.com", "ban_duration": duration})
        assert (caught.value.status, caught.value.code) == (400, "validation_failed")


async def test_pages(api: Api, admin: AsyncGoTrueClient, query: Sql) -> None:
    for number in range(5):
        await admin.admin.create_user({"email": f"user{number}@example.com", "password": PASSWORD})
    listed = [user.email for user in await admin.admin.list_users()]
    assert listed == [f"user{number}@example.com" for number in (4, 3, 2, 1, 0)]
    assert [user.email for user in await admin.admin.list_users(page=2, per_page=2)] == listed[2:4]
    async with api.http(api.keys.secret) as http:
        answer = await http.get("/admin/users", params={"page": "2", "per_page": "2"})
        last = await http.get("/admin/users", params={"page": "3", "per_page": "2"})
        found = await http.get("/admin/users", params={"filter": "user3"})
        wrong = await http.get("/admin/users", params={"page": "two"}, headers=VERSION)
    assert answer.headers["x-total-count"] == "5"
    assert answer.headers["link"] == (
        '</admin/users?page=3&per_page=2>; rel="next", </admin/users?page=3&per_page=2>; rel="last"'
    )
    assert last.headers["link"] == '</admin/users?page=3&per_page=2>; rel="last"'
    assert answer.json()["aud"] == "authenticated"
    assert [user["email"] for user in found.json()["users"]] == ["user3@example.com"]
    assert (wrong.status_code, wrong.json()["code"]) == (400, "validation_failed")


async def test_refusals(admin: AsyncGoTrueClient, api: Api) -> None:
    first = (await admin.admin.create_user({"email": "otto@example.com"})).user

    async def refusal(attributes: Any) -> tuple[int, str | None]:
        with pytest.raises(AuthApiError) as caught:
            await admin.admin.create_user(attributes)
        return caught.value.status, caught.value.code

    assert await refusal({}) == (400, "validation_failed")
    assert await refusal({"email": "OTTO@example.com"}) == (422, "email_exists")
    assert await refusal({"email": "a@example.com", "id": "7"}) == (400, "validation_failed")
    assert await refusal({"email": "a@example.com", "password": "x" * 73}) == (
        400,
        "validation_failed",
    )
    assert await refusal({"phone": "15550100"}) == (501, "not_implemented")
    assert await refusal({"email": "a@example.com", "password_hash": "$argon2id$v=19"}) == (
        501,
        "not_implemented",
    )
    with pytest.raises(AuthApiError) as caught:
        await admin.admin.delete_user(first.id, should_soft_delete=True)
    assert caught.value.status == 501
    async with api.http(api.keys.secret) as http:
        odd = await http.get("/admin/users/7", headers=VERSION)
    assert (odd.status_code, odd.json()["code"]) == (404, "validation_failed")


async def test_only_the_secret_key_may(api: Api) -> None:
    session = (
        await api.client().sign_up({"email": "vera@example.com", "password": PASSWORD})
    ).session
    assert session is not None
    for key, token in (
        (api.keys.publishable, None),
        (api.keys.publishable, session.access_token),
        (api.keys.secret, session.access_token),
    ):
        async with api.http(key, token) as http:
            for method, path in (
                ("GET", "/admin/users"),
                ("POST", "/admin/users"),
                ("GET", f"/admin/users/{session.user.id}"),
                ("PUT", f"/admin/users/{session.user.id}"),
                ("DELETE", f"/admin/users/{session.user.id}"),
            ):
                answer = await http.request(method, path, headers=VERSION)
                assert (method, path, answer.status_code) == (method, path, 403)
                assert answer.json() == {"code": "not_admin", "message": "User not allowed"}
    for key, token in (
        (api.keys.secret, None),
        (api.keys.service_role, api.keys.service_role),
        (api.keys.publishable, api.keys.service_role),
    ):
        async with api.http(key, token) as http:
            assert (await http.get("/admin/users")).status_code == 200
