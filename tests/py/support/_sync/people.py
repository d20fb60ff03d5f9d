# Made by scripts/generate_sync.py from tests/py/support/_async/people.py: run `make sync`.
"""Users of the stack: each test makes its own, so that tests run side by side."""

from __future__ import annotations

import uuid

from pydantic import SecretStr

from vintner_client import Session, Storage, Vintner
from vintner_client.models import Vine
from vintner_local.pytest_plugin import SupabaseStack

PASSWORD = "correct horse battery"


def new_email() -> str:
    """An e-mail address that no other test has."""
    return f"{uuid.uuid4().hex}@example.com"


def sign_up(client: Vintner) -> str:
    """Makes a user, signed in by this client; gives the e-mail address."""
    email = new_email()
    client.auth.sign_up(email=email, password=PASSWORD)
    return email


def plant(client: Vintner, **manifest: object) -> Vine:
    """Plants a small vine with a local identity, in a vineyard of its own."""
    vineyard = client.vineyards.create(name=f"vineyard-{uuid.uuid4().hex[:8]}")
    identity = client.identities.create(provider="local", name="sandbox")
    return client.vines.plant(
        {
            "vineyard_id": vineyard.id,
            "cloud_identity_id": identity.id,
            "project_name": "shop",
            "region": "eu-west-1",
            "network": {},
            **manifest,
        }
    )


def tendril_of(owner: Vintner, client: Vintner) -> None:
    """Registers a Tendril of the owner's and signs the client in as it, ONLINE."""
    made = owner.tendrils.register(name="tendril")
    client.auth.sign_in_tendril(token=made.token)
    client.lease.heartbeat(version="1.0.0")


def client_of(
    stack: SupabaseStack,
    *,
    url: str | None = None,
    storage: Storage | None = None,
    session: Session | None = None,
    tendril_token: SecretStr | None = None,
) -> Vintner:
    """A client of the stack, not signed in unless a session says so.

    Args:
        stack: the stack.
        url: another way to it, such as a proxy.
        storage: see `Vintner`.
        session: see `Vintner`.
        tendril_token: see `Vintner`.
    """
    return Vintner(
        url=url or stack.url,
        key=stack.publishable_key,
        storage=storage,
        session=session,
        tendril_token=tendril_token,
    )
