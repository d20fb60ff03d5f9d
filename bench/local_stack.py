"""What the local stack sustains: requests, changes to many subscribers, memory, starts.

Run as `python bench/local_stack.py [--seconds N]`. It starts a stack of its own and prints tables.
Clients run in processes of their own, on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg

from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.processes import ProcessRef
from vintner_local.stack import SUPERUSER, Stack, StackState
from vintner_local.throwaway import throwaway_stack

PROJECT = Path(__file__).with_name("project")

TABLES = """
create table public.ticks (
  id bigint generated always as identity primary key, sent double precision
);
alter table public.ticks enable row level security;
create policy everyone on public.ticks for select to anon using (id > 0);
grant select, insert on public.ticks to anon;
create function public.add(a int, b int) returns int language sql stable as 'select a + b';
grant execute on function public.add to anon;
alter publication supabase_realtime add table public.ticks;
insert into public.ticks (sent) select 0 from generate_series(1, 1000);
"""
CONNECTIONS = 16
OFFERED = 300
SUBSCRIBERS = 200
CHANGES_PER_SECOND = 50
PAUSED_INSERTS = 200
STARTS = 5


def percentiles(times: list[float]) -> str:
    """Median and 95th percentile as two cells, in milliseconds."""
    late = statistics.quantiles(times, n=20)[-1]
    return f"{statistics.median(times) * 1000:.1f} | {late * 1000:.1f}"


async def ask(session: aiohttp.ClientSession, state: StackState, number: int) -> None:
    """One request, by turns a select and a function's call."""
    headers = {"apikey": state.keys.publishable}
    rest = f"{state.api_url}/rest/v1"
    if number % 2:
        asked = session.get(f"{rest}/ticks?select=id,sent&id=eq.42", headers=headers)
    else:
        asked = session.post(f"{rest}/rpc/add", json={"a": number, "b": 1}, headers=headers)
    async with asked as answer:
        answer.raise_for_status()
        await answer.read()


async def offered(state: StackState, seconds: float) -> tuple[float, str]:
    """Requests that come at a fixed rate, however long the ones before take."""
    times: list[float] = []

    async def timed(session: aiohttp.ClientSession, number: int) -> None:
        began = time.perf_counter()
        await ask(session, state, number)
        times.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        began = time.perf_counter()
        for number in range(int(OFFERED * seconds)):
            await asyncio.sleep(max(0, began + number / OFFERED - time.perf_counter()))
            tasks.create_task(timed(session, number))
    return len(times) / (time.perf_counter() - began), percentiles(times)


async def saturated(state: StackState, seconds: float) -> tuple[float, str]:
    """Requests one after the other on each of several connections."""
    times: list[float] = []

    async def busy(session: aiohttp.ClientSession, until: float) -> None:
        while (began := time.perf_counter()) < until:
            await ask(session, state, len(times))
            times.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        end = time.perf_counter() + seconds
        for _ in range(CONNECTIONS):
            tasks.create_task(busy(session, end))
    return len(times) / seconds, percentiles(times)


async def subscribe(
    session: aiohttp.ClientSession, state: StackState
) -> aiohttp.ClientWebSocketResponse:
    """A connection that hears every new row of ticks."""
    key = state.keys.publishable
    socket = await session.ws_connect(
        f"{state.api_url}/realtime/v1/websocket?apikey={key}&vsn=1.0.0", max_msg_size=0
    )
    wanted = [{"event": "INSERT", "schema": "public", "table": "ticks"}]
    join = {"config": {"postgres_changes": wanted}}
    frame = {
        "topic": "realtime:ticks",
        "event": "phx_join",
        "payload": join,
        "ref": "1",
        "join_ref": "1",
    }
    await socket.send_json(frame)
    while True:
        heard = await socket.receive_json()
        if heard["event"] == "system" and heard["payload"]["extension"] == "postgres_changes":
            return socket


async def listen(
    state: StackState, subscribers: int, changes: int, ready: Any
) -> tuple[int, list[float]]:
    """How many changes came to all of them together, and how late each was.

    Args:
        state: the stack.
        subscribers: connections.
        changes: of each is waited for; 5 s without any end the wait.
        ready: an event that is set when all are subscribed.
    """
    late: list[float] = []

    async def hear(socket: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(changes):
            try:
                heard = await asyncio.wait_for(socket.receive_json(), 5)
            except TimeoutError:
                return
            late.append(time.time() - heard["payload"]["data"]["record"]["sent"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [await subscribe(session, state) for _ in range(subscribers)]
        ready.set()
        await asyncio.gather(*map(hear, sockets))
        for socket in sockets:
            await socket.close()
    return len(late), late


def listener(state: str, subscribers: int, changes: int, ready: Any, found: Any) -> None:
    """The process of the subscribers."""
    settings = StackState.model_validate_json(state)
    found.put(asyncio.run(listen(settings, subscribers, changes, ready)))


def fan_out(
    state: StackState, subscribers: int, changes: int, rate: float
) -> tuple[int, list[float]]:
    """Inserts rows one by one at a rate, and gives what the subscribers heard of them."""
    context = multiprocessing.get_context("spawn")
    ready, found = context.Event(), context.Queue()
    arguments = (state.model_dump_json(), subscribers, changes, ready, found)
    process = context.Process(target=listener, args=arguments)
    process.start()
    ready.wait()
    with psycopg.connect(state.db_url(SUPERUSER), autocommit=True) as database:
        began = time.perf_counter()
        for number in range(changes):
            time.sleep(max(0, began + number / rate - time.perf_counter()))
            database.execute("insert into public.ticks (sent) values (%s)", (time.time(),))
    result: tuple[int, list[float]] = found.get()
    process.join()
    return result


def api_memory(stack: Stack) -> float:
    """Resident memory of the API process, in MiB."""
    found = lifecycle.running(stack)
    assert found is not None
    return psutil.Process(found.parts["api"].process.pid).memory_info().rss / 2**20


def times_of(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> str:
    """The median and all times of some runs, in seconds.

    Args:
        work: is timed.
        before: is run before each, and is not.
    """
    times = []
    for _ in range(STARTS):
        before()
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return f"{statistics.median(times):.1f} | " + ", ".join(f"{each:.1f}" for each in times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    seconds = parser.parse_args().seconds
    wishes = Wishes(api_port=0, db_port=0, owner=ProcessRef.of(os.getpid()))

    def quiet(_: str) -> None:
        pass

    with throwaway_stack(PROJECT) as (stack, state):
        with psycopg.connect(state.db_url(SUPERUSER), autocommit=True) as database:
            database.execute(TABLES)
        time.sleep(1)  # until the API knows the new tables
        print("| REST | requests/s | median ms | p95 ms |\n| --- | ---: | ---: | ---: |")
        rate, cells = asyncio.run(offered(state, seconds))
        print(f"| {OFFERED} requests/s offered | {rate:.0f} | {cells} |")
        rate, cells = asyncio.run(saturated(state, seconds))
        print(f"| {CONNECTIONS} connections, as fast as they can | {rate:.0f} | {cells} |")
        print("\n| Realtime | heard of | median ms | p95 ms |\n| --- | ---: | ---: | ---: |")
        count, late = fan_out(state, 1, PAUSED_INSERTS, 20)
        print(f"| 1 subscriber, 20 changes/s | {count} of {PAUSED_INSERTS} | {percentiles(late)} |")
        changes = int(CHANGES_PER_SECOND * seconds)
        count, late = fan_out(state, SUBSCRIBERS, changes, CHANGES_PER_SECOND)
        whole = f"{count} of {SUBSCRIBERS * changes}"
        crowd = f"{SUBSCRIBERS} subscribers, {CHANGES_PER_SECOND} changes/s"
        print(f"| {crowd} | {whole} | {percentiles(late)} |")
        print(f"\nMemory of the API process after all that: {api_memory(stack):.0f} MiB")
        print("\n| whole stack | median s | each |\n| --- | ---: | --- |")

        warm = times_of(
            lambda: lifecycle.up(stack, wishes, quiet), lambda: lifecycle.down(stack, quiet)
        )
        print(f"| up, warm | {warm} |")
        print(f"| reset | {times_of(lambda: lifecycle.reset(stack, wishes, quiet))} |")


if __name__ == "__main__":
    main()
