"""A long log over a network that fails in every way: what is read is what was printed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from support.following import Reader, Writer
from support.proxy import Connection, Proxy
from support.unheard import refused
from vintner_client import AsyncVintner
from vintner_local.pytest_plugin import SupabaseStack

LINES = 10_000
PATIENCE = 90
ALPHABET = "abc 0123 \t\"\\'%{}[]<>&é€𝄞日\x1b\u2028\x7f"
ENDS = ("\n", "\n", "\r\n", "\r", "")

FAULTS: dict[str, Callable[[Connection, random.Random], None]] = {
    "cut": lambda connection, _: connection.cut(),
    "tear": lambda connection, _: connection.tear(),
    "stall": lambda connection, chance: connection.stall(chance.uniform(0.1, 1.0)),
    "half-close": lambda connection, _: connection.half_close(),
    "orphan": lambda connection, _: connection.orphan(),
}
LIVE_FAULTS = {**FAULTS, "blackhole": lambda connection, _: connection.blackhole()}
"""An HTTP request that gets no answer ends with the client's timeout, which is not asked here."""


async def fail(proxy: Proxy, chance: random.Random) -> None:
    """Does something to the network every now and then, until cancelled."""
    while True:
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        proxy.double_live = chance.random() < 0.5
        proxy.mute_live = chance.random() < 0.1
        proxy.refuse_live = chance.random() < 0.1
        for connection in list(proxy.connections):
            faults = LIVE_FAULTS if connection.is_live else FAULTS
            if chance.random() < 0.6:
                chance.choice(list(faults.values()))(connection, chance)


def printed(chance: random.Random) -> list[list[str]]:
    """Many lines of all kinds, cut into chunks anywhere, as batches."""
    lines = [
        "".join(chance.choices(ALPHABET, k=min(int(chance.expovariate(1 / 40)), 2000)))
        + chance.choice(ENDS)
        for _ in range(LINES)
    ]
    text, chunks = "".join(lines), []
    while text:
        size = chance.choice((1, 20, 80, 400))
        chunks.append(text[:size])
        text = text[size:]
    batches = []
    while chunks:
        count = chance.randint(1, 40)
        batches.append(chunks[:count])
        chunks = chunks[count:]
    return batches


async def read_through_a_bad_network(
    far: AsyncVintner, proxy: Proxy, writer: Writer, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 to be drawn again
    batches = printed(chance)
    reader = Reader(far, writer.job)
    failing = asyncio.create_task(fail(proxy, chance))
    for batch in batches:
        await writer.append(batch)
        await asyncio.sleep(chance.uniform(0, 0.08))
    await reader.has(writer.seq, PATIENCE)
    await writer.end()
    text = await reader.text(PATIENCE)
    failing.cancel()
    with suppress(asyncio.CancelledError):
        await failing
    assert text == writer.text
    assert proxy.live_opened > 1


def any_seed() -> int:
    return random.SystemRandom().randrange(2**32)


@pytest.fixture
def by_changes(supabase_stack: SupabaseStack, writer: Writer) -> Iterator[None]:
    """The log is told by changes of its table alone."""
    with refused(supabase_stack, writer.job):
        yield


async def test_ten_thousand_lines_arrive_as_printed(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    await read_through_a_bad_network(far, proxy, writer, any_seed())


@pytest.mark.usefixtures("by_changes")
async def test_ten_thousand_lines_arrive_without_broadcasts(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    await read_through_a_bad_network(far, proxy, writer, any_seed())


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(50))
async def test_ten_thousand_lines_arrive_as_printed_every_time(
    far: AsyncVintner, proxy: Proxy, writer: Writer, seed: int
) -> None:
    await read_through_a_bad_network(far, proxy, writer, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(50))
@pytest.mark.usefixtures("by_changes")
async def test_ten_thousand_lines_arrive_without_broadcasts_every_time(
    far: AsyncVintner, proxy: Proxy, writer: Writer, seed: int
) -> None:
    await read_through_a_bad_network(far, proxy, writer, seed)
