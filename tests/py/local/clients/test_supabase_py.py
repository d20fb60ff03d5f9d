"""supabase-py as a program uses it: one client for Auth, tables, calls and Realtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from postgrest import APIError, CountMethod
from realtime import AsyncRealtimeChannel, RealtimePostgresChangesListenEvent
from realtime.types import BroadcastPayload, PostgresChangesPayload
from supabase import AsyncClient, create_async_client
from supabase_auth.errors import AuthApiError

from support.waiting import until

from .world import PASSWORD, World, new_email, serving

ALL = RealtimePostgresChangesListenEvent.All


@asynccontextmanager
async def client_of(world: World, key: str | None = None) -> AsyncIterator[AsyncClient]:
    """A client that is closed afterwards."""
    client = await create_async_client(world.url, key or world.keys.publishable)
    try:
        yield client
    finally:
        await client.realtime.close()
        await client.auth.close()


async def sign_up(client: AsyncClient) -> tuple[str, str]:
    """A user of the test's own: id and address."""
    email = new_email()
    answer = await client.auth.sign_up({"email": email, "password": PASSWORD})
    assert answer.user is not None
    assert answer.session is not None
    return answer.user.id, email


async def subscribed(channel: AsyncRealtimeChannel, *, changes: bool = False) -> None:
    """Subscribes, and returns when broadcasts, and changes if there are any, will arrive."""
    ready: list[str] = []
    channel.on_system(lambda payload: ready.append(payload.message))
    joined = asyncio.Event()
    await channel.subscribe(lambda state, _: joined.set() if state == "SUBSCRIBED" else None)
    await asyncio.wait_for(joined.wait(), 10)
    if changes:
        await until(lambda: "Subscribed to PostgreSQL" in ready)


async def test_a_user_signs_up_in_and_out(world: World) -> None:
    async with client_of(world) as client:
        user_id, email = await sign_up(client)
        events: list[str] = []
        client.auth.on_auth_state_change(lambda event, _: events.append(event))
        await client.auth.sign_out()
        assert await client.auth.get_session() is None

        with pytest.raises(AuthApiError, match="Invalid login credentials"):
            await client.auth.sign_in_with_password({"email": email, "password": "wrong"})
        again = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        assert again.user is not None
        assert again.user.id == user_id

        changed = await client.auth.update_user({"data": {"name": "Vera"}, "password": "new one!"})
        assert changed.user.user_metadata["name"] == "Vera"
        renewed = await client.auth.refresh_session()
        assert renewed.session is not None
        assert again.session is not None
        assert renewed.session.refresh_token != again.session.refresh_token
        assert {"SIGNED_OUT", "SIGNED_IN", "USER_UPDATED", "TOKEN_REFRESHED"} <= set(events)

        await client.auth.sign_out()
        signed_in = await client.auth.sign_in_with_password(
            {"email": email, "password": "new one!"}
        )
        assert signed_in.user is not None
        with pytest.raises(AuthApiError, match="already registered"):
            await client.auth.sign_up({"email": email, "password": PASSWORD})


async def test_requests_speak_for_whoever_is_signed_in(world: World) -> None:
    async with client_of(world) as ann, client_of(world) as bob:
        ann_id, _ = await sign_up(ann)
        await sign_up(bob)
        assert (await ann.rpc("whoami").execute()).data == ann_id
        await ann.table("notes").insert({"number": 1, "body": "mine"}).execute()
        assert len((await ann.table("notes").select("*").execute()).data) == 1
        assert (await bob.table("notes").select("*").execute()).data == []
        with pytest.raises(APIError) as refused:
            await bob.table("notes").insert({"number": 2, "owner": ann_id}).execute()
        assert refused.value.code == "42501"
        await ann.auth.sign_out()
        assert (await ann.table("notes").select("*").execute()).data == []
    async with client_of(world, world.keys.secret) as service:
        found: Any = (await service.table("notes").select("owner").execute()).data
        assert found == [{"owner": ann_id}]


async def test_a_short_session_is_renewed_in_the_background(clients_dsn: str) -> None:
    async with serving(clients_dsn, jwt_expiry=5) as world, client_of(world) as client:
        user_id, _ = await sign_up(client)
        first = await client.auth.get_session()
        assert first is not None
        renewed: list[str] = []
        client.auth.on_auth_state_change(lambda event, _: renewed.append(event))
        await until(lambda: "TOKEN_REFRESHED" in renewed)
        session = await client.auth.get_session()
        assert session is not None
        assert session.access_token != first.access_token
        assert (await client.rpc("whoami").execute()).data == user_id


async def test_rows_are_written_and_read(world: World) -> None:
    async with client_of(world) as client:
        authors, books = client.table("authors"), client.table("books")
        made: Any = (await authors.insert([{"name": "Ann"}, {"name": "Bob"}]).execute()).data
        ann, bob = (row["id"] for row in made)
        await books.insert(
            [
                {"author_id": ann, "title": f"t{n}", "year": 2000 + n, "tags": ["a", f"n{n}"]}
                for n in range(10)
            ]
        ).execute()
        await books.insert({"author_id": bob, "title": "b", "meta": {"k": [1]}}).execute()

        page = (
            await books.select("title, authors(name)", count=CountMethod.exact)
            .gte("year", 2003)
            .order("year", desc=True)
            .range(1, 2)
            .execute()
        )
        assert page.count == 7
        assert page.data == [
            {"title": "t8", "authors": {"name": "Ann"}},
            {"title": "t7", "authors": {"name": "Ann"}},
        ]
        counted = await authors.select("name, books(count)").eq("name", "Ann").single().execute()
        assert counted.data == {"name": "Ann", "books": [{"count": 10}]}
        inner = await authors.select("name, books!inner(title)").eq("books.title", "b").execute()
        assert inner.data == [{"name": "Bob", "books": [{"title": "b"}]}]
        tagged = await books.select("title").contains("tags", ["n3"]).execute()
        assert tagged.data == [{"title": "t3"}]
        keyed = await books.select("title").eq("meta->k->>0", "1").maybe_single().execute()
        assert keyed is not None
        assert keyed.data == {"title": "b"}
        assert await books.select("*").eq("title", "none").maybe_single().execute() is None
        with pytest.raises(APIError) as none_found:
            await books.select("*").eq("title", "none").single().execute()
        assert none_found.value.code == "PGRST116"

        changed = await books.update({"year": 1}).in_("title", ["t1", "b"]).execute()
        assert len(changed.data) == 2
        upserted = await authors.upsert(
            [{"id": ann, "name": "Anna"}, {"name": "Cy"}], default_to_null=False
        ).execute()
        assert [row["name"] for row in _dicts(upserted.data)] == ["Anna", "Cy"]
        kept = await authors.upsert(
            {"name": "Bob"}, on_conflict="name", ignore_duplicates=True
        ).execute()
        assert kept.data == []
        gone = await authors.delete().eq("id", ann).execute()
        assert [row["name"] for row in _dicts(gone.data)] == ["Anna"]
        left = await books.select("*", count=CountMethod.exact, head=True).execute()
        assert left.count == 1
        with pytest.raises(APIError) as twice:
            await authors.insert({"name": "Bob"}).execute()
        assert twice.value.code == "23505"


async def test_functions_are_called(world: World) -> None:
    world.sql(
        "insert into public.authors values (1, 'Ann')",
        "insert into public.books (author_id, title) values (1, 'x'), (1, 'y')",
    )
    async with client_of(world) as client:
        assert (await client.rpc("add", {"a": 2, "b": 3}).execute()).data == 5
        assert (await client.rpc("add", {"a": 2, "b": 3}, get=True).execute()).data == 5
        found = await client.rpc("books_of", {"author": "Ann"}).select("title").execute()
        assert found.data == [{"title": "x"}, {"title": "y"}]
        with pytest.raises(APIError) as refused:
            await client.rpc("refuse").execute()
        error = refused.value
        assert (error.code, error.message) == ("PT409", "the shop is closed")
        assert (error.details, error.hint) == ("until nine", "wait")


async def test_csv_is_refused_by_name(world: World) -> None:
    async with client_of(world) as client:
        with pytest.raises(APIError) as refused:
            await client.table("authors").select("*").csv().execute()
    assert refused.value.message == "CSV is not part of the local REST API"
    assert "supabase start" in str(refused.value.hint)


async def test_own_changes_arrive_live(world: World) -> None:
    async with client_of(world) as ann, client_of(world) as bob:
        heard: list[PostgresChangesPayload] = []
        await sign_up(ann)
        await sign_up(bob)
        channel = ann.channel("notes").on_postgres_changes(
            ALL, heard.append, schema="public", table="notes", filter="number=gt.1"
        )
        await subscribed(channel, changes=True)
        for client in (bob, ann):
            for number in (1, 2, 3):
                await client.table("notes").insert({"number": number, "body": "x"}).execute()
        await ann.table("notes").update({"body": "y"}).eq("number", 2).execute()
        await until(lambda: len(heard) == 3)
        seen = [(each["data"]["type"], each["data"]["record"]) for each in heard]
        assert [(kind, (record or {})["number"]) for kind, record in seen] == [
            ("INSERT", 2),
            ("INSERT", 3),
            ("UPDATE", 2),
        ]


async def test_clients_talk_to_each_other(world: World) -> None:
    async with client_of(world) as ann, client_of(world) as bob:
        to_ann: list[BroadcastPayload] = []
        to_bob: list[BroadcastPayload] = []
        echoed: Any = {"config": {"broadcast": {"self": True, "ack": True}}}
        hers = ann.channel("room", echoed)
        his = bob.channel("room")
        await subscribed(hers.on_broadcast("said", to_ann.append))
        await subscribed(his.on_broadcast("said", to_bob.append))
        await hers.send_broadcast("said", {"n": 1})
        await his.send_broadcast("said", {"n": 2})
        await until(lambda: len(to_ann) == 2 and len(to_bob) == 1)
        assert [each["payload"] for each in to_ann] == [{"n": 1}, {"n": 2}]
        assert [each["payload"] for each in to_bob] == [{"n": 1}]


async def test_presence_is_shared(world: World) -> None:
    async with client_of(world) as ann, client_of(world) as bob:
        hers, his = ann.channel("lobby"), bob.channel("lobby")
        for channel in (hers, his):
            channel.on_presence_sync(lambda: None)
            await subscribed(channel)
        await hers.track({"name": "ann"})
        await his.track({"name": "bob"})

        def names() -> set[Any]:
            state: dict[str, Any] = dict(his.presence_state())
            return {each["name"] for entries in state.values() for each in entries}

        await until(lambda: names() == {"ann", "bob"})
        await hers.untrack()
        await until(lambda: names() == {"bob"})


async def test_the_database_speaks_on_a_private_channel(world: World) -> None:
    async with client_of(world) as ann, client_of(world) as bob:
        ann_id, _ = await sign_up(ann)
        await sign_up(bob)
        heard: list[BroadcastPayload] = []
        private: Any = {"config": {"private": True}}
        await subscribed(ann.channel(f"user:{ann_id}", private).on_broadcast("log", heard.append))
        states: list[str] = []
        await bob.channel(f"user:{ann_id}", private).subscribe(
            lambda state, _: states.append(state.value)
        )
        await until(lambda: "CHANNEL_ERROR" in states)
        world.sql(f"select realtime.send('{{\"n\": 1}}', 'log', 'user:{ann_id}', true)")
        await until(lambda: len(heard) == 1)
        assert heard[0]["payload"]["n"] == 1


def _dicts(data: Any) -> list[dict[str, Any]]:
    assert isinstance(data, list)
    return data
