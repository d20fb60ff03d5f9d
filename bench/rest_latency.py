"""Latency of REST through the whole gateway, over loopback, one request at a time.

Run as `python bench/rest_latency.py [--against CHECKOUT] [--requests N]`. It starts a stack of its
own and one API process for each source tree, asks them in turns, and prints a table.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from vintner_local.ports import listen
from vintner_local.settings import ApiSettings
from vintner_local.stack import SUPERUSER
from vintner_local.throwaway import throwaway_stack

SOURCE = Path(__file__).parents[1] / "src"
PROJECT = Path(__file__).with_name("project")
WARM_UP = 100
TABLES = """
create schema bench;
create table bench.parents(id int primary key, name text, note text);
create table bench.children(id int primary key, parent_id int references bench.parents, qty int);
create index on bench.children(parent_id);
insert into bench.parents select n, 'parent ' || n, null from generate_series(1, 200) n;
insert into bench.children select n, 1 + n % 200, n from generate_series(1, 1000) n;
create function bench.add(a int, b int) returns int language sql stable as 'select a + b';
grant usage on schema bench to anon;
grant all on all tables in schema bench to anon;
alter table bench.parents enable row level security;
create policy everyone on bench.parents using (true);
"""
REQUESTS = {
    "select": ("GET", "/parents?select=id,name&name=eq.parent%2042", None),
    "embed": ("GET", "/parents?select=id,name,children(id,qty)&id=eq.42", None),
    "rpc": ("POST", "/rpc/add", b'{"a":1,"b":2}'),
    "patch": ("PATCH", "/parents?id=eq.42&select=id,note", b'{"note":"x"}'),
}


@contextmanager
def serving(source: Path, settings: ApiSettings) -> Iterator[http.client.HTTPConnection]:
    """A connection to an API process that runs from a source tree."""
    listening = listen(0)
    process = subprocess.Popen(
        [sys.executable, "-m", "vintner_local.api_process", str(listening.fileno())],
        pass_fds=(listening.fileno(),),
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
    )
    connection = http.client.HTTPConnection(*listening.getsockname())
    try:
        assert process.stdin is not None
        process.stdin.write(settings.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        yield connection
    finally:
        connection.close()
        listening.close()
        process.terminate()
        process.wait()


def ask(connection: http.client.HTTPConnection, name: str, key: str) -> float:
    """How long an answer takes, in milliseconds."""
    method, path, body = REQUESTS[name]
    headers = {"apikey": key, "Content-Type": "application/json", "Accept": "application/json"}
    if method == "PATCH":
        headers["Prefer"] = "return=representation"
    started = time.perf_counter()
    connection.request(method, f"/rest/v1{path}", body, headers)
    response = connection.getresponse()
    answer = response.read()
    took = time.perf_counter() - started
    if response.status != 200:
        raise SystemExit(f"{name}: {response.status} {answer.decode()}")
    return took * 1000


def measure(sources: dict[str, Path], settings: ApiSettings, requests: int) -> None:
    """Prints medians and 95th percentiles, and what the first tree's median is of the last's."""
    key = settings.keys.publishable
    with ExitStack() as running:
        connections = {
            label: running.enter_context(serving(source, settings))
            for label, source in sources.items()
        }
        print(f"{'':8}" + "".join(f"{label + ' ms':>12}{'p95':>8}" for label in sources), end="")
        print("   ratio" if len(sources) > 1 else "")
        for name in REQUESTS:
            times: dict[str, list[float]] = {label: [] for label in sources}
            for number in range(WARM_UP + requests):
                for label, connection in connections.items():
                    took = ask(connection, name, key)
                    if number >= WARM_UP:
                        times[label].append(took)
            medians = [statistics.median(found) for found in times.values()]
            p95s = [statistics.quantiles(found, n=20)[-1] for found in times.values()]
            cells = (f"{m:12.2f}{p:8.2f}" for m, p in zip(medians, p95s, strict=True))
            ratio = f"{medians[0] / medians[-1]:8.2f}" if len(sources) > 1 else ""
            print(f"{name:8}" + "".join(cells) + ratio)


def main() -> None:
    """Starts a stack, measures, and removes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--requests", type=int, default=1000)
    wished = parser.parse_args()
    sources = {"here": SOURCE}
    if wished.against:
        sources["there"] = wished.against.resolve() / "src"
    with throwaway_stack(PROJECT) as (stack, state):
        with psycopg.connect(state.db_url(SUPERUSER), autocommit=True) as database:
            database.execute(TABLES)
        settings = state.api_settings(stack.config().api)
        settings = settings.model_copy(update={"schemas": ("bench",)})
        measure(sources, settings, wished.requests)


if __name__ == "__main__":
    main()
