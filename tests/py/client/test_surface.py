"""Every public method, whichever it is: tested, documented, indexed, and honest about errors."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

import vintner_client
from api_reference import TARGET, Member, page, surface
from support.answering import answering
from support.keeping import stale
from vintner_client import AsyncVintner, Session, Vintner, VintnerError
from vintner_client._async.rows import AsyncRows
from vintner_client.models import AccountRole, Database, JobStatus

TESTS = Path(__file__).parent
ASYNC = [member for found in surface(AsyncVintner).values() for member in found]
SYNC = [member for found in surface(Vintner).values() for member in found]

LOCAL = ("close", "on_state_change", "on_change")
"""Methods that ask no server."""
JUNK = ["{}", "[]", "null", '"text"', "[1]", '[{"id": 1}]', '{"id": 5}', "7", "", "nonsense"]
VALUES: dict[str, Any] = {
    "manifest": {},
    "info": {},
    "chunks": [],
    "credentials": {},
    "role": AccountRole.VIEWER,
    "kind": Database,
    "status": JobStatus.SUCCESS,
    "serial": 1,
}


def texts(*, is_sync: bool) -> str:
    """The tests of one of the two clients."""
    files = [path for path in TESTS.rglob("test_*.py") if path.name != Path(__file__).name]
    return "\n".join(
        text
        for path in files
        if is_sync == ("_sync" in path.parts) or (is_sync and "_async" not in path.parts)
        for text in [path.read_text()]
        if not is_sync or re.search(r"\bVintner\b", text)
    )


def is_named(member: Member, tests: str) -> bool:
    """Whether a test calls it: by its resource where it has one."""
    owner = member.owner.rpartition(".")[2]
    if member.owner.startswith("client."):
        return bool(re.search(rf"\b{owner}\.{member.name}\b", tests))
    return bool(re.search(rf"\.{member.name}\b", tests))


@pytest.mark.parametrize("is_sync", [False, True])
def test_every_public_method_is_named_by_a_test(is_sync: bool) -> None:
    tests = texts(is_sync=is_sync)
    members = SYNC if is_sync else ASYNC
    assert len(members) > 100
    missing = [f"{each.owner}.{each.name}" for each in members if not is_named(each, tests)]
    assert not missing, " ".join(missing)


def test_the_index_is_as_generated() -> None:
    assert TARGET.read_text() == page(), "the library has changed: run `make docs-api`"


def test_every_public_name_is_there() -> None:
    for name in vintner_client.__all__:
        assert getattr(vintner_client, name) is not None
    assert not hasattr(vintner_client, "Vinter")


@pytest.mark.parametrize(
    ("statement", "without"),
    [
        ("import vintner_client", {"httpx", "pydantic", "asyncio"}),
        ("from vintner_client import errors", {"httpx", "pydantic", "asyncio"}),
        (
            "import vintner_client as v; v.Vintner(url='http://127.0.0.1', key='k')",
            {"vintner_client._async.client", "postgrest", "realtime", "supabase_auth"},
        ),
        (
            "import vintner_client as v; v.AsyncVintner(url='http://127.0.0.1', key='k')",
            {"vintner_client._sync.client", "postgrest", "realtime", "supabase_auth"},
        ),
    ],
)
def test_a_program_loads_what_it_uses(statement: str, without: set[str]) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "vintner_client" in run.stdout.split()
    assert without.isdisjoint(run.stdout.split())


def test_both_clients_have_the_same_methods() -> None:
    def names(members: list[Member]) -> set[tuple[str, str]]:
        return {(member.owner.removeprefix("Async"), member.name) for member in members}

    assert names(ASYNC) - {("store", "expect")} == names(SYNC)


@pytest.mark.parametrize("member", ASYNC, ids=lambda each: f"{each.owner}.{each.name}")
def test_every_docstring_tells_arguments_and_errors(member: Member) -> None:
    text = inspect.getdoc(member.function) or ""
    assert member.summary.endswith((".", "`.")), "the first line is a sentence"
    if "see `" in text.lower():
        return
    parameters = [name for name in inspect.signature(member.function).parameters if name != "self"]
    for name in parameters:
        assert name == "cls" or re.search(rf"^    {name}: ", text, re.MULTILINE), name
    if inspect.iscoroutinefunction(member.function) and member.name not in LOCAL:
        assert "\nRaises:\n" in text


@pytest.fixture(params=JUNK)
async def junk(request: pytest.FixtureRequest) -> AsyncIterator[AsyncVintner]:
    """A client of something that is no project."""
    session = Session(
        access_token="one",
        refresh_token="two",
        expires_at=datetime(2999, 1, 1, tzinfo=UTC),
        lifetime=3600,
        user_id=uuid4(),
    )
    async with (
        answering(request.param) as url,
        AsyncVintner(url=url, key="any", session=session) as client,
    ):
        yield client


async def test_whatever_a_server_answers_only_our_errors_come(junk: AsyncVintner) -> None:
    asked = 0
    for member in ASYNC:
        owner = member.owner.removeprefix("client.")
        is_resource = member.owner.startswith("client.") and owner not in ("live", "auth")
        if not is_resource or member.is_property:
            continue
        asked += 1
        # an answer may happen to be one: an empty list is
        with suppress(VintnerError):
            await ask(getattr(getattr(junk, owner), member.name))
    assert asked > 50


async def test_whatever_auth_answers_only_our_errors_come(junk: AsyncVintner) -> None:
    session = junk.auth.session
    assert session is not None
    acts: list[Callable[[AsyncVintner], Awaitable[object]]] = [
        lambda client: client.auth.sign_up(email="a@example.com", password="secret"),
        lambda client: client.auth.sign_in(email="a@example.com", password="secret"),
        lambda client: client.auth.sign_in_tendril(token=f"vt_{uuid4()}_{'x' * 32}"),
        lambda client: client.auth.access_token(fresh=True),
    ]
    for act in acts:
        async with AsyncVintner(url=junk.url, key="any", session=stale(session)) as client:
            with pytest.raises(VintnerError):
                await act(client)


async def test_a_web_page_is_no_api() -> None:
    async with (
        answering("<html>hello</html>", content_type="text/html") as url,
        AsyncVintner(url=url, key="any") as client,
    ):
        for act in (client.vines.list().all, client.table("vines").select("*").execute):
            with pytest.raises(VintnerError, match="answers with a web page"):
                await act()


async def ask(method: Any) -> None:
    """Calls a method with something for each argument that it needs, and takes what it gives."""
    positional, named = [], {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        value = VALUES.get(name, str(uuid4()))
        if name == "job":
            value = SimpleNamespace(id=uuid4(), attempt=1)
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            positional.append(value)
    given = method(*positional, **named)
    if inspect.isasyncgen(given):
        async for _ in given:
            pass
    elif isinstance(given, AsyncRows):
        await given.all()
    else:
        await given
