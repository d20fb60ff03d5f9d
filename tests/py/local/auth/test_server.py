"""Around the users: triggers of migrations, what is refused, a database that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from supabase_auth.errors import AuthApiError

from vintner_local.auth import passwords

from .conftest import PASSWORD, VERSION, Api, Sql, serving

CREDENTIALS: Any = {"email": "vera@example.com", "password": PASSWORD}

ELSEWHERE = [
    "POST /otp",
    "POST /magiclink",
    "POST /recover",
    "POST /resend",
    "POST /verify",
    "GET /verify?token=1&type=signup",
    "GET /reauthenticate",
    "POST /invite",
    "GET /authorize?provider=github",
    "GET /callback",
    "POST /sso",
    "GET /sso/saml/metadata",
    "POST /factors",
    "POST /factors/1/verify",
    "GET /user/identities/authorize",
    "POST /admin/generate_link",
    "GET /admin/audit",
    "GET /admin/users/1/factors",
    "GET /admin/oauth/clients",
    "POST /token?grant_type=pkce",
    "POST /token?grant_type=id_token",
    "POST /token?grant_type=web3",
]

PROFILES = """
create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  name text, role_seen text, confirmed boolean
);
create function public.tg_users__profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.raw_user_meta_data ->> 'name' is null then
    raise exception using errcode = 'PT418', message = 'a name is needed', hint = 'give one';
  end if;
  insert into public.profiles
  values (new.id, new.raw_user_meta_data ->> 'name', new.role, new.email_confirmed_at is not null);
  return new;
end $$;
create trigger users__profile after insert on auth.users
  for each row execute function public.tg_users__profile();
"""


@pytest.fixture
async def profiles(query: Sql) -> AsyncIterator[None]:
    await query(PROFILES)
    yield
    await query("drop function public.tg_users__profile cascade; drop table public.profiles")


@pytest.mark.usefixtures("profiles")
async def test_trigger_on_users(api: Api, query: Sql) -> None:
    named: Any = {**CREDENTIALS, "options": {"data": {"name": "Vera"}}}
    answer = await api.client().sign_up(named)
    assert answer.user is not None
    assert await query("select id::text, name, role_seen, confirmed from public.profiles") == [
        {"id": answer.user.id, "name": "Vera", "role_seen": "", "confirmed": False}
    ]
    await api.client(api.keys.secret).admin.delete_user(answer.user.id)
    assert await query("select 1 from public.profiles") == []


@pytest.mark.usefixtures("profiles")
async def test_trigger_that_refuses(api: Api, query: Sql) -> None:
    with pytest.raises(AuthApiError) as caught:
        await api.client().sign_up(CREDENTIALS)
    assert (caught.value.status, caught.value.code) == (500, "unexpected_failure")
    assert caught.value.message == "Database error saving new user"
    with pytest.raises(AuthApiError) as caught:
        await api.client(api.keys.secret).admin.create_user({"email": "otto@example.com"})
    assert caught.value.message == "Database error creating new user"
    async with api.http() as http:
        old = await http.post("/signup", json=CREDENTIALS)
    assert (old.status_code, old.json()) == (
        418,
        {"code": "PT418", "message": "a name is needed", "hint": "give one"},
    )
    assert await query("select 1 from auth.users") == []


async def test_migrations_may_not_build_in_the_schema(query: Sql) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await query("create table auth.mine ()")


async def test_api_roles_see_nothing(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for role in ("anon", "authenticated", "service_role"):
            await connection.execute(f"set role {role}".encode())
            for table in ("users", "identities", "sessions", "refresh_tokens"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(f"select 1 from auth.{table}".encode())


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, (None, None, None, None)),
        (
            {"request.jwt.claims": '{"sub": "%s", "role": "authenticated", "email": "v@e.com"}'},
            ("%s", "authenticated", "v@e.com", "authenticated"),
        ),
        (
            {
                "request.jwt.claim.sub": "%s",
                "request.jwt.claim.role": "anon",
                "request.jwt.claim.email": "w@e.com",
                "request.jwt.claims": '{"role": "service_role"}',
            },
            ("%s", "anon", "w@e.com", "service_role"),
        ),
        ({"request.jwt.claims": "", "request.jwt.claim.sub": ""}, (None, None, None, None)),
    ],
)
async def test_claims_in_sql(query: Sql, settings: dict[str, str], seen: tuple[Any, ...]) -> None:
    user_id = "11111111-2222-4333-8444-555555555555"
    for name, value in settings.items():
        await query("select set_config(%s, %s, false)", name, value.replace("%s", user_id))
    (row,) = await query(
        "select auth.uid()::text as a, auth.role() as b, auth.email() as c,"
        " auth.jwt() ->> 'role' as d"
    )
    assert tuple(row.values()) == tuple(one and one.replace("%s", user_id) for one in seen)


async def test_what_only_the_real_server_does(api: Api) -> None:
    async with api.http() as http:
        for route in ELSEWHERE:
            method, path = route.split()
            answer = await http.request(method, path, json={}, headers=VERSION)
            assert (route, answer.status_code) == (route, 501)
            assert answer.json()["code"] == "not_implemented"
            assert "supabase start" in answer.json()["message"]


async def test_unknown_paths(api: Api) -> None:
    async with api.http() as http:
        assert (await http.get("/nowhere")).status_code == 404
        assert (await http.get("/otpx")).status_code == 404
        assert (await http.patch("/user")).status_code == 405
        unsupported = await http.post("/token?grant_type=magic", headers=VERSION)
    assert (unsupported.status_code, unsupported.json()["message"]) == (
        400,
        "unsupported_grant_type",
    )


async def test_what_it_says_of_itself(api: Api) -> None:
    async with api.http() as http:
        assert (await http.get("/health")).json()["name"] == "GoTrue"
        assert (await http.get("/.well-known/jwks.json")).json() == {"keys": []}
        settings = (await http.get("/settings")).json()
    assert settings["external"]["email"] is True
    assert settings["mailer_autoconfirm"] is True
    assert settings["disable_signup"] is False


async def test_lost_connections_are_replaced(api: Api, dsn: str) -> None:
    await api.client().sign_up(CREDENTIALS)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'supabase_auth_admin' and datname = current_database()"
        )
    await api.client().sign_in_with_password(CREDENTIALS)


async def test_database_that_goes_and_returns(dsn: str) -> None:
    name = str(conninfo_to_dict(dsn)["dbname"])
    database = psycopg.sql.Identifier(name)
    beside = make_conninfo(dsn, dbname="postgres")
    async with (
        await psycopg.AsyncConnection.connect(beside, autocommit=True) as connection,
        serving(dsn) as api,
    ):
        await api.client().sign_up(CREDENTIALS)
        close = psycopg.sql.SQL("alter database {} allow_connections false").format(database)
        await connection.execute(close)
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        async with api.http() as http:
            lost = await http.post("/token?grant_type=password", json=CREDENTIALS, headers=VERSION)
            assert (lost.status_code, lost.json()["code"]) == (500, "unexpected_failure")
            assert (await http.get("/health")).status_code == 200
        reopen = psycopg.sql.SQL("alter database {} allow_connections true").format(database)
        await connection.execute(reopen)
        async with asyncio.timeout(20):
            await api.client().sign_in_with_password(CREDENTIALS)


async def test_hashing_leaves_the_loop_free() -> None:
    turns = 0
    hashing = asyncio.create_task(passwords.hash_password(PASSWORD))
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 5
