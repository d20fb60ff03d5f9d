"""What is kept from one process to the next, and processes that share it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from support._async.people import client_of, sign_up
from support.keeping import stale
from vintner_client import AsyncVintner, FileStorage, MemoryStorage, Session, Storage, errors
from vintner_local.pytest_plugin import SupabaseStack

WRITER = """
import sys
from vintner_client import FileStorage
storage = FileStorage(sys.argv[1])
for _ in range(200):
    for letter in "ab":
        storage.set_item("key", letter * 200_000)
"""


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each kind of storage, empty."""
    return MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "kept")


def test_texts_are_kept_by_key(storage: Storage) -> None:
    keys = ("session https://a", "session https://A", "x" * 300, "../..", "")
    for key in keys:
        assert storage.get_item(key) is None
        storage.remove_item(key)
        storage.set_item(key, "before")
        storage.set_item(key, f"of {key}\r\nü")
    assert [storage.get_item(key) for key in keys] == [f"of {key}\r\nü" for key in keys]

    storage.remove_item(keys[0])

    assert storage.get_item(keys[0]) is None
    assert storage.get_item(keys[1]) is not None


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "kept"
    FileStorage(folder).set_item("key", "text")
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_no_text_is_not_there(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    storage.set_item("key", "text")
    spoil(tmp_path, b"\xff\xfe\x00")
    assert storage.get_item("key") is None


def test_a_file_is_seen_whole_while_another_process_writes_it(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    storage.set_item("key", "a" * 200_000)
    seen = set()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) as writer:
        while writer.poll() is None:
            seen.add(storage.get_item("key"))
    seen.add(storage.get_item("key"))
    assert writer.returncode == 0
    assert seen == {"a" * 200_000, "b" * 200_000}
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_session_is_found_by_the_next_process(
    supabase_stack: SupabaseStack, storage: Storage
) -> None:
    async with client_of(supabase_stack, storage=storage) as client:
        await sign_up(client)
        await client.vineyards.create(name="mine")
        session = client.auth.session

    async with client_of(supabase_stack, storage=storage) as later:
        assert later.auth.session == session
        assert [found.name for found in await later.vineyards.list().all()] == ["mine"]
        await later.auth.sign_out()

    async with client_of(supabase_stack, storage=storage) as last:
        assert last.auth.session is None


async def test_each_project_has_its_own_session(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    storage = MemoryStorage()
    async with (
        client_of(supabase_stack, storage=storage, session=ann.auth.session),
        AsyncVintner(url="https://elsewhere.example", key="any", storage=storage) as elsewhere,
    ):
        assert elsewhere.auth.session is None


async def test_a_spoilt_session_is_none(supabase_stack: SupabaseStack, tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    async with client_of(supabase_stack, storage=storage) as client:
        await sign_up(client)
    spoil(tmp_path, b'{"access_token": ')
    async with client_of(supabase_stack, storage=storage) as later:
        assert later.auth.session is None


@pytest.mark.parametrize("shared", [True, False])
async def test_processes_that_share_a_session_do_not_end_it(
    ann: AsyncVintner, supabase_stack: SupabaseStack, tmp_path: Path, shared: bool
) -> None:
    """Those that do not share it do: the second half shows that Auth would have ended it."""
    first = stale(ann)
    storage, other = FileStorage(tmp_path), FileStorage(tmp_path) if shared else MemoryStorage()
    async with client_of(supabase_stack, storage=other, session=first) as late:
        second = await renewed(supabase_stack, storage, first)
        third = await renewed(supabase_stack, storage, stale(second))
        used_long_ago(supabase_stack, third)

        if shared:
            await late.vineyards.list().all()
            assert late.auth.session == third
            await renewed(supabase_stack, storage, stale(third))
        else:
            with pytest.raises(errors.NotSignedIn):
                await late.vineyards.list().all()
            with pytest.raises(errors.NotSignedIn):
                await renewed(supabase_stack, storage, stale(third))


async def test_processes_that_renew_at_once_keep_a_session_that_lasts(
    ann: AsyncVintner, supabase_stack: SupabaseStack, tmp_path: Path
) -> None:
    first, storage = stale(ann), FileStorage(tmp_path)
    async with (
        client_of(supabase_stack, storage=MemoryStorage(), session=first) as one,
        client_of(supabase_stack, storage=MemoryStorage(), session=first) as two,
    ):
        await one.vineyards.list().all()
        await two.vineyards.list().all()
        assert one.auth.session is not None
        assert two.auth.session is not None
        assert one.auth.session.refresh_token == two.auth.session.refresh_token

    await renewed(supabase_stack, storage, stale(one.auth.session))


async def test_who_signs_in_meanwhile_is_not_overwritten(
    ann: AsyncVintner, bob: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    storage = MemoryStorage()
    async with client_of(supabase_stack, storage=storage, session=stale(ann)) as anns:
        async with client_of(supabase_stack, storage=storage, session=bob.auth.session):
            pass
        await anns.vineyards.list().all()
        assert anns.auth.user_id == ann.auth.user_id
        await anns.auth.sign_out()

    async with client_of(supabase_stack, storage=storage) as later:
        assert later.auth.session == bob.auth.session


def spoil(folder: Path, content: bytes) -> None:
    """Puts something else into the one file of a folder."""
    (file,) = folder.iterdir()
    file.write_bytes(content)


async def renewed(stack: SupabaseStack, storage: Storage, session: Session) -> Session:
    """The session after a process has used a stale one."""
    async with client_of(stack, storage=storage, session=session) as client:
        await client.vineyards.list().all()
        assert client.auth.session is not None
        return client.auth.session


def used_long_ago(stack: SupabaseStack, session: Session) -> None:
    """Lets the minute pass in which Auth forgives that a refresh token is used twice."""
    with psycopg.connect(stack.admin_db_url) as database:
        database.execute(
            "update auth.refresh_tokens set updated_at = updated_at - interval '1 minute' "
            "where session_id = (select session_id from auth.refresh_tokens where token = %s)",
            [session.refresh_token],
        )
