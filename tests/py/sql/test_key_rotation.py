"""Keys are rotated while others write, and whoever rotates may die at any time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import UUID, uuid4

import psycopg
import pytest

from support.sessions import Connection, act_as, code, race, value

ROWS = 30
WRITERS = 3


class Keys:
    """A user with secrets, and sessions of theirs and of whoever rotates."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack
        self.admin: Connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        self.user = UUID(str(value(self.admin, "select tests.sign_up('owner')")))

    def user_session(self, *, autocommit: bool = True) -> Connection:
        session = self._session(autocommit)
        act_as(session, self.user)
        session.commit()
        return session

    def service_session(self, *, autocommit: bool = True) -> Connection:
        session = self._session(autocommit)
        session.execute("set role service_role")
        session.commit()
        return session

    def _session(self, autocommit: bool) -> Connection:
        return self._stack.enter_context(psycopg.connect(self._url, autocommit=autocommit))

    def ids(self) -> set[int]:
        return {key for (key,) in self.admin.execute("select id from private.encryption_keys")}

    def tokens(self) -> dict[UUID, str]:
        """The user's access tokens in clear, by row."""
        query = (
            "select id, private.decrypt(access_token, 'access_token', id) "
            "from public.provider_tokens where user_id = %s"
        )
        return dict(self.admin.execute(query, [self.user]).fetchall())

    def credentials(self) -> dict[UUID, str]:
        """One secret of each of the user's cloud identities in clear, by row."""
        query = (
            "select id, private.decrypted_credentials(c) ->> 'secret' "
            "from public.cloud_identities as c where user_id = %s"
        )
        return dict(self.admin.execute(query, [self.user]).fetchall())


@pytest.fixture
def keys(own_database: str) -> Iterator[Keys]:
    with ExitStack() as stack:
        yield Keys(own_database, stack)


def add_token(session: Connection, secret: str) -> UUID:
    query = (
        "insert into public.provider_tokens (provider, access_token) values ('github', %s) "
        "returning id"
    )
    return UUID(str(session.execute(query, [secret]).fetchone()[0]))  # type: ignore[index]


def add_identity(session: Connection, secret: str) -> UUID:
    query = (
        "insert into public.cloud_identities (provider, name, credentials) "
        "values ('aws', 'x', %s) returning id"
    )
    row = session.execute(query, [json.dumps({"secret": secret})]).fetchone()
    return UUID(str(row[0]))  # type: ignore[index]


def test_a_rotation_is_killed_and_gone_on_with_while_others_write(keys: Keys) -> None:
    old = max(keys.ids())
    with keys.user_session() as session:
        identities = {add_identity(session, secret): secret for secret in secrets_of(ROWS)}
        tokens = {add_token(session, secret): secret for secret in secrets_of(ROWS)}
    stopping = threading.Event()

    def write(mine: list[UUID]) -> tuple[dict[UUID, str], dict[UUID, str]]:
        """Changes its own rows and makes new ones; gives what was acknowledged last."""
        changed: dict[UUID, str] = {}
        made: dict[UUID, str] = {}
        with keys.user_session() as session:
            while not stopping.is_set() or not changed:
                for row_id in mine:
                    secret = uuid4().hex
                    # reads what is stored and sends it back with a change, as clients do
                    session.execute(
                        "update public.cloud_identities "
                        "set credentials = credentials || jsonb_build_object('secret', %s::text) "
                        "where id = %s",
                        [secret, row_id],
                    )
                    changed[row_id] = secret
                secret = uuid4().hex
                made[add_token(session, secret)] = secret
        return changed, made

    shares = [list(identities)[n : ROWS // 2 : WRITERS] for n in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, share) for share in shares]
        try:
            with keys.service_session() as rotating:
                new = value(rotating, "select public.rotate_encryption_key()")
            doomed = keys.service_session(autocommit=False)
            value(doomed, "select public.reencrypt_batch(10)")
            doomed.commit()
            value(doomed, "select public.reencrypt_batch(10)")
            keys.admin.execute("select pg_terminate_backend(%s)", [doomed.info.backend_pid])
            with pytest.raises(psycopg.OperationalError):
                doomed.execute("select")
            with keys.service_session() as resuming:
                retired = bring_to_an_end(resuming, batch=7)
        finally:
            stopping.set()
        for writer in writers:
            changed, made = writer.result()
            identities |= changed
            tokens |= made

    assert retired > 0
    assert keys.ids() == {new}
    assert new != old
    assert keys.credentials() == identities
    assert keys.tokens() == tokens
    assert value(keys.admin, "select private.count_under_old_keys()") == 0


def test_a_key_is_not_retired_before_those_who_write_under_it_are_through(keys: Keys) -> None:
    old = max(keys.ids())
    secret = uuid4().hex

    def rotate_wholly(session: Connection) -> None:
        value(session, "select public.rotate_encryption_key()")
        session.commit()
        # what is not committed yet is not seen
        assert value(session, "select public.reencrypt_batch(10000)") == 0
        session.commit()
        value(session, "select public.retire_encryption_keys()")

    service = keys.service_session(autocommit=False)
    error = race(
        keys.admin,
        keys.user_session(autocommit=False),
        service,
        lambda session: add_token(session, secret),
        rotate_wholly,
    )

    assert error is not None
    assert code(error) == "encryption_key_in_use"
    assert old in keys.ids()
    assert bring_to_an_end(service) > 0
    service.commit()
    assert old not in keys.ids()
    assert list(keys.tokens().values()) == [secret]


def test_a_transaction_may_outlive_the_key_it_began_with(keys: Keys) -> None:
    first, second = secrets_of(2)
    session = keys.user_session(autocommit=False)
    add_token(session, first)
    with keys.service_session() as rotating:
        value(rotating, "select public.rotate_encryption_key()")
    add_token(session, second)
    session.commit()

    assert set(keys.tokens().values()) == {first, second}


def test_a_row_that_is_being_written_waits_for_a_later_batch(keys: Keys) -> None:
    secret = uuid4().hex
    with keys.user_session() as session:
        row_id = add_identity(session, "before")
    with keys.service_session() as service:
        value(service, "select public.rotate_encryption_key()")
        session = keys.user_session(autocommit=False)
        session.execute("update public.cloud_identities set name = 'y' where id = %s", [row_id])
        assert value(service, "select public.reencrypt_batch(10000)") == 1
        session.execute(
            "update public.cloud_identities set credentials = %s where id = %s",
            [json.dumps({"secret": secret}), row_id],
        )
        session.commit()
        assert value(service, "select public.reencrypt_batch(10000)") == 0

    assert keys.credentials() == {row_id: secret}


def bring_to_an_end(service: Connection, batch: int = 10_000) -> int:
    """Re-encrypts everything and retires the older keys; gives how many there were."""
    while True:
        while value(service, "select public.reencrypt_batch(%s)", batch):
            pass
        try:
            return int(value(service, "select public.retire_encryption_keys()"))
        except psycopg.Error as error:
            # somebody who began under an older key has just ended
            if code(error) != "encryption_key_in_use":
                raise


def secrets_of(count: int) -> list[str]:
    return [uuid4().hex for _ in range(count)]
