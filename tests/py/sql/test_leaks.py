"""No secret in clear anywhere: a whole run, and every way to be refused, over the real API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import psycopg
import pytest

from support._async.people import client_of, sign_up
from support.leaks import logs_with, tables_with
from vintner_client import AsyncVintner
from vintner_client.errors import InvalidInput
from vintner_client.models import JobStatus, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack


class Secrets:
    """Makes secrets and remembers them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def new(self) -> str:
        self.made.append(f"hush{uuid4().hex}")
        return self.made[-1]


@pytest.fixture
async def owner(supabase_stack: SupabaseStack) -> AsyncIterator[AsyncVintner]:
    async with client_of(supabase_stack) as client:
        await sign_up(client)
        yield client


@pytest.fixture
async def api(
    supabase_stack: SupabaseStack, owner: AsyncVintner
) -> AsyncIterator[httpx.AsyncClient]:
    """The REST API as the owner, for what the client library would not send."""
    headers = {
        "apikey": supabase_stack.publishable_key,
        "authorization": f"Bearer {await owner.auth.access_token()}",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient(base_url=f"{supabase_stack.url}/rest/v1", headers=headers) as api:
        yield api


async def assert_nowhere(stack: SupabaseStack, owner: AsyncVintner, secrets: Secrets) -> None:
    """No table and no log holds what was made; a word that is no secret is found in both."""
    word = uuid4().hex
    await owner.vineyards.create(name=word)
    assert tables_with(stack.admin_db_url, [word]) == ["public.vine_audit_log", "public.vineyards"]
    with psycopg.connect(stack.admin_db_url) as database, pytest.raises(psycopg.Error):
        database.execute(f"select 1 / 0 as {word!r}".replace("'", '"').encode())
    assert logs_with(stack.folder, [word]) != []

    assert secrets.made
    assert tables_with(stack.admin_db_url, secrets.made) == []
    assert logs_with(stack.folder, secrets.made) == []


async def test_a_whole_run_leaves_no_secret(
    supabase_stack: SupabaseStack, owner: AsyncVintner, api: httpx.AsyncClient
) -> None:
    secrets = Secrets()
    credentials = {
        "role_arn": "arn:aws:iam::000000000000:role/x",
        "secret_access_key": secrets.new(),
        "nested": {"deep": [secrets.new()]},
    }
    identity = await owner.identities.create(provider="local", name="x", credentials=credentials)
    changed = {**identity.credentials, "password": secrets.new()}
    answer = await api.patch(
        f"/cloud_identities?id=eq.{identity.id}", json={"credentials": changed}
    )
    assert answer.status_code == 204
    token = {"provider": "github", "access_token": secrets.new(), "refresh_token": secrets.new()}
    answer = await api.post("/provider_tokens", json=token)
    assert answer.status_code == 201
    vineyard = await owner.vineyards.create(name="home")
    vine = await owner.vines.plant(
        {
            "vineyard_id": vineyard.id,
            "cloud_identity_id": identity.id,
            "project_name": "shop",
            "region": "eu-west-1",
            "cluster": {},
        }
    )
    registered = await owner.tendrils.register(name="tendril")
    secrets.made.append(registered.token.get_secret_value().split("_", 2)[2])

    await owner.vines.harvest(vine.id)
    async with client_of(supabase_stack) as tendril:
        await tendril.auth.sign_in_tendril(token=registered.token)
        await tendril.lease.heartbeat(version="1.0.0")
        job = await tendril.lease.claim_next_job()
        assert job is not None
        job = await tendril.lease.start_job(job)
        context = await tendril.lease.context(job)
        # what was read is what was written: the secrets did reach the database
        assert context.credentials["nested"] == credentials["nested"]
        assert context.credentials["password"] == secrets.made[2]
        await tendril.lease.lock_state(job, {"ID": "lock"})
        state = json.dumps({"lineage": "l", "serial": 1, "outputs": {"x": secrets.new()}})
        await tendril.lease.put_state(job, state, "lock")
        with pytest.raises(InvalidInput):
            await tendril.lease.put_state(job, state.replace("}", ""), "lock")
        assert await tendril.lease.get_state(job) == state
        chunk = NewLogChunk(seq=1, log_chunk="password = ***", stream_type=StreamType.STDOUT)
        await tendril.lease.append_logs(job, [chunk])
        password = secrets.new()
        outputs = {"cluster": {"cluster_name": "c", "argocd_admin_password": password}}
        await tendril.lease.complete_job(job, status=JobStatus.SUCCESS, outputs=outputs)

    assert (
        await api.post("/rpc/reveal_credentials", json={"p_cloud_identity_id": str(identity.id)})
    ).json()["password"] == secrets.made[2]
    answer = await api.post("/rpc/reveal_argocd_admin_password", json={"p_vine_id": str(vine.id)})
    assert answer.json() == password
    await assert_nowhere(supabase_stack, owner, secrets)


async def test_no_refusal_prints_a_secret(
    supabase_stack: SupabaseStack, owner: AsyncVintner, api: httpx.AsyncClient
) -> None:
    secrets = Secrets()

    def identity(**values: object) -> dict[str, object]:
        credentials = {"role_arn": "arn:x", "password": secrets.new()}
        return {"provider": "aws", "name": "x", "credentials": credentials, **values}

    def token(**values: object) -> dict[str, object]:
        both = {"access_token": secrets.new(), "refresh_token": secrets.new()}
        return {"provider": "github", **both, **values}

    allowed = await owner.identities.create(
        provider="aws", name="x", credentials={"a": secrets.new()}
    )
    refused = [
        # CHECK, NOT NULL
        await api.post("/cloud_identities", json=identity(provider="moon")),
        await api.post("/cloud_identities", json=identity(name="")),
        await api.post("/cloud_identities", json=identity(name=None)),
        await api.post("/cloud_identities", json=identity(credentials=secrets.new())),
        await api.post("/cloud_identities", json=identity(credentials=[secrets.new()])),
        await api.post("/cloud_identities", json=identity(credentials=None)),
        await api.patch(
            f"/cloud_identities?id=eq.{allowed.id}", json={"name": "", "credentials": identity()}
        ),
        await api.post("/provider_tokens", json=token(provider="moon")),
        await api.post("/provider_tokens", json=token(access_token=None)),
        # what the columns' types refuse
        await api.post("/provider_tokens", json=token(expires_at="soon")),
        await api.post("/cloud_identities", json=identity(account_id="mine")),
        # policies, grants, ciphertext that is none
        await api.post("/cloud_identities", json=identity(account_id=str(uuid4()))),
        await api.post("/cloud_identities", json=identity(is_verified=True)),
        await api.post(
            "/cloud_identities", json=identity(credentials={"x": f"vintner:1:{secrets.new()}"})
        ),
        # no JSON
        await api.post("/cloud_identities", content=json.dumps(identity())[:-2]),
        # calls
        await api.post(
            "/rpc/plant_vine", json={"p_manifest": {"password": "x"}, "p_x": secrets.new()}
        ),
        await api.post(
            "/rpc/put_terraform_state",
            json={
                "p_job_id": str(uuid4()),
                "p_attempt": 1,
                "p_state": secrets.new(),
                "p_lock_id": "x",
            },
        ),
    ]

    assert [answer.status_code for answer in refused if answer.status_code < 400] == []
    # whom no policy binds, the row is shown
    with psycopg.connect(supabase_stack.admin_db_url) as database:
        query = (
            "insert into public.provider_tokens (user_id, provider, access_token) "
            "values (%s, 'x', %s)"
        )
        with pytest.raises(psycopg.errors.CheckViolation) as shown:
            database.execute(query, [owner.auth.user_id, secrets.new()])
    assert "Failing row contains" in str(shown.value)
    assert logs_with(supabase_stack.folder, ["Failing row contains", str(owner.auth.user_id)]) != []
    assert [answer.text for answer in refused if any(s in answer.text for s in secrets.made)] == []
    await assert_nowhere(supabase_stack, owner, secrets)
