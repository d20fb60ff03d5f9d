"""Signing in and out, as a person and as a Tendril."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from support._async.people import PASSWORD, client_of, new_email, plant, sign_up
from support.keeping import stale
from vintner_client import AsyncVintner, MemoryStorage, Session, errors
from vintner_local.pytest_plugin import SupabaseStack


async def test_a_new_user_signs_up_in_and_out(anyone: AsyncVintner) -> None:
    email = await sign_up(anyone)
    user_id = anyone.auth.user_id
    await anyone.auth.sign_out()
    assert anyone.auth.session is None
    with pytest.raises(errors.NotSignedIn):
        await anyone.vineyards.create(name="mine")

    await anyone.auth.sign_in(email=email, password=PASSWORD)

    assert anyone.auth.user_id == user_id
    assert anyone.auth.session is not None
    assert anyone.auth.session.email == email


async def test_wrong_credentials_are_told(anyone: AsyncVintner) -> None:
    email = await sign_up(anyone)

    with pytest.raises(errors.WrongCredentials):
        await anyone.auth.sign_in(email=email, password="another")
    with pytest.raises(errors.WrongCredentials):
        await anyone.auth.sign_in(email=new_email(), password=PASSWORD)
    with pytest.raises(errors.InvalidInput):
        await anyone.auth.sign_in(email="", password="")


async def test_a_user_is_made_once(anyone: AsyncVintner) -> None:
    email = await sign_up(anyone)

    with pytest.raises(errors.Conflict):
        await anyone.auth.sign_up(email=email, password=PASSWORD)


async def test_an_existing_session_is_taken_over(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    await ann.vineyards.create(name="mine")
    assert ann.auth.session is not None
    kept = ann.auth.session.model_dump_json()

    async with client_of(supabase_stack, session=Session.model_validate_json(kept)) as later:
        assert [found.name for found in await later.vineyards.list().all()] == ["mine"]


async def test_a_token_that_the_server_finds_expired_is_renewed(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    session = ann.auth.session
    assert session is not None
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    claims["exp"] = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp())
    expired = jwt.encode(claims, supabase_stack.jwt_secret, algorithm="HS256")

    # this machine's clock takes the token for good: only the server's answer tells
    given = session.model_copy(update={"access_token": expired})
    async with client_of(supabase_stack, session=given) as client:
        made = await client.vineyards.create(name="mine")

        assert made.name == "mine"
        assert client.auth.session is not None
        assert client.auth.session.access_token != expired


async def test_a_session_that_cannot_be_renewed_ends(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    dead = stale(ann).model_copy(update={"refresh_token": "no-such-token"})
    storage = MemoryStorage()
    async with client_of(supabase_stack, session=dead, storage=storage) as client:
        with pytest.raises(errors.NotSignedIn):
            await client.vineyards.list().all()
        assert client.auth.session is None
    async with client_of(supabase_stack, storage=storage) as later:
        assert later.auth.session is None


async def test_a_session_that_is_no_longer_fresh_is_ended_on_the_server_too(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    session = stale(ann)
    async with client_of(supabase_stack, session=session) as client:
        await client.auth.sign_out()
    with pytest.raises(errors.NotSignedIn):
        await ann.auth.access_token(fresh=True)


async def test_a_tendril_signs_in_with_its_token(ann: AsyncVintner, anyone: AsyncVintner) -> None:
    made = await ann.tendrils.register(name="cellar")

    await anyone.auth.sign_in_tendril(token=made.token)

    assert anyone.auth.user_id == made.worker_id
    assert made.token.get_secret_value() not in repr(made)
    assert [found.name for found in await ann.tendrils.list().all()] == ["cellar"]


@pytest.mark.parametrize("spoil", [lambda token: token[:-1] + "!", lambda _: "vt_nonsense"])
async def test_a_wrong_tendril_token_is_told(
    ann: AsyncVintner,
    anyone: AsyncVintner,
    spoil: object,
) -> None:
    made = await ann.tendrils.register(name="cellar")
    assert callable(spoil)
    with pytest.raises(errors.WrongCredentials) as refused:
        await anyone.auth.sign_in_tendril(token=spoil(made.token.get_secret_value()))
    assert made.token.get_secret_value() not in str(refused.value)


async def test_a_tendril_whose_session_ended_signs_in_anew(tendril: AsyncVintner) -> None:
    session = tendril.auth.session
    assert session is not None
    tendril.auth._session = session.model_copy(
        update={"expires_at": datetime.now(UTC), "refresh_token": "no-such-token"}
    )

    await tendril.lease.heartbeat(version="1.0.0")

    assert tendril.auth.user_id == session.user_id


async def test_two_clients_in_one_process_share_nothing(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    vine = await plant(ann)

    assert [found.id for found in await ann.vines.list().all()] == [vine.id]
    assert await bob.vines.list().all() == []
    with pytest.raises(errors.NotFound):
        await bob.vines.get(vine.id)
    with pytest.raises(errors.NotFound):
        await bob.vines.plan(vine.id)


async def test_a_wrong_key_is_its_own_error(supabase_stack: SupabaseStack) -> None:
    async with AsyncVintner(url=supabase_stack.url, key="sb_publishable_wrong") as client:
        with pytest.raises(errors.WrongKey):
            await client.vineyards.list().all()
        with pytest.raises(errors.WrongKey):
            await client.auth.sign_in(email=new_email(), password=PASSWORD)


async def test_a_stack_that_is_not_there_is_told(unused_tcp_port: int) -> None:
    async with AsyncVintner(url=f"http://127.0.0.1:{unused_tcp_port}", key="any") as client:
        with pytest.raises(errors.ConnectionFailed, match="cannot be reached"):
            await client.vineyards.list().all()
        with pytest.raises(errors.ConnectionFailed, match="cannot be reached"):
            await client.auth.sign_in(email=new_email(), password=PASSWORD)


async def test_a_closed_client_says_so(supabase_stack: SupabaseStack) -> None:
    client = client_of(supabase_stack)
    await client.close()
    with pytest.raises(errors.ClientClosed):
        await client.vineyards.list().all()
    with pytest.raises(errors.ClientClosed):
        client.live.jobs()


async def test_what_no_request_can_hold_is_refused(ann: AsyncVintner) -> None:
    with pytest.raises(errors.InvalidInput, match="too long"):
        await ann.vines.list(project_name="x" * 100_000).all()
    with pytest.raises(errors.InvalidInput, match="surrogates"):
        await ann.vines.list(project_name="\ud800").all()
    with pytest.raises(errors.InvalidInput, match="surrogates"):
        await ann.auth.sign_in(email=new_email(), password="\ud800")
    for seconds in (0, -1.0, float("nan")):
        with pytest.raises(errors.InvalidInput, match="no time"):
            ann.with_options(timeout=seconds)


@pytest.mark.parametrize("url", ["", "127.0.0.1:54321", "ftp://example.com", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidInput):
        AsyncVintner(url=url, key="any")


def test_from_env_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", " ")
    with pytest.raises(
        errors.InvalidInput, match="SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY are not set"
    ):
        AsyncVintner.from_env()
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1/")
    with pytest.raises(errors.InvalidInput, match="SUPABASE_PUBLISHABLE_KEY is not set"):
        AsyncVintner.from_env()
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", "any")
    assert AsyncVintner.from_env().url == "http://127.0.0.1:1"


async def test_from_env_knows_the_tendril(
    ann: AsyncVintner, supabase_stack: SupabaseStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ann.tendrils.register(name="cellar")
    monkeypatch.setenv("SUPABASE_URL", supabase_stack.url)
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", supabase_stack.publishable_key)
    monkeypatch.setenv("VINTNER_TENDRIL_TOKEN", made.token.get_secret_value())

    async with AsyncVintner.from_env() as tendril:
        assert tendril.auth.session is None
        assert tendril.auth.user_id == made.worker_id
        await tendril.lease.heartbeat(version="1.0.0")
        assert tendril.auth.session is not None
    async with AsyncVintner.from_env(session=ann.auth.session) as person:
        assert person.auth.user_id == ann.auth.user_id
    monkeypatch.setenv("VINTNER_TENDRIL_TOKEN", "vt_nonsense")
    with pytest.raises(errors.WrongCredentials, match="token is not accepted"):
        AsyncVintner.from_env()


def test_a_session_and_a_token_exclude_each_other(ann: AsyncVintner) -> None:
    with pytest.raises(errors.InvalidInput, match="A session and a Tendril's token are given"):
        AsyncVintner(
            url=ann.url,
            key="any",
            session=ann.auth.session,
            tendril_token=f"vt_{uuid4()}_{'x' * 32}",
        )


async def test_who_signs_in_after_a_tendril_does_not_become_it_again(
    ann: AsyncVintner, anyone: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    made = await ann.tendrils.register(name="cellar")
    await anyone.auth.sign_in_tendril(token=made.token)
    with pytest.raises(errors.WrongCredentials):
        await anyone.auth.sign_in(email=new_email(), password=PASSWORD)
    assert anyone.auth.user_id == made.worker_id

    await sign_up(anyone)
    person = anyone.auth.user_id
    await anyone.auth.access_token(fresh=True)
    assert anyone.auth.user_id == person != made.worker_id
    await anyone.auth.sign_out()
    assert await anyone.auth.access_token() is None


async def test_a_tendril_gets_another_token(ann: AsyncVintner, anyone: AsyncVintner) -> None:
    made = await ann.tendrils.register(name="cellar")
    again = await ann.tendrils.rotate_token(made.worker_id)
    assert again.worker_id == made.worker_id
    with pytest.raises(errors.WrongCredentials):
        await anyone.auth.sign_in_tendril(token=made.token)
    await anyone.auth.sign_in_tendril(token=again.token)
    assert anyone.auth.user_id == made.worker_id
