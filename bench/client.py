"""What the client library costs: its import beside supabase's, and a list beside httpx alone.

Run as `.venv/bin/python bench/client.py [--rounds N]`. It starts a stack of its own. What is
compared takes turns; figures are medians, with the least and the most.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from vintner_client import Vintner
from vintner_local.throwaway import throwaway_stack

PROJECT = Path(__file__).parents[1]
PASSWORD = "correct horse battery"  # noqa: S105 of a stack that lives for a minute
VINES = 1000
IMPORTS = {
    "import supabase": "import supabase",
    "import vintner_client": "import vintner_client",
    "from vintner_client import Vintner": "from vintner_client import Vintner",
    "import httpx, pydantic": "import httpx, pydantic",
}
"""Each in an interpreter of its own, whose start does not count."""
TIMED = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

Times = dict[str, list[float]]


def imports(rounds: int) -> Times:
    """Seconds of CPU time that each import takes."""
    times: Times = {name: [] for name in IMPORTS}
    for _ in range(rounds + 1):
        for name, statement in IMPORTS.items():
            run = [sys.executable, "-c", TIMED.format(statement=statement)]
            said = subprocess.run(run, check=True, capture_output=True, text=True).stdout
            times[name].append(float(said.split()[1]))
    # the first wrote the bytecode
    return {name: found[1:] for name, found in times.items()}


def lists(url: str, key: str, rounds: int) -> Times:
    """Seconds that a list of 1,000 vines takes, from the call to objects."""
    with Vintner(url=url, key=key) as client:
        session = client.auth.sign_up(email="bench@example.com", password=PASSWORD)
        client.vineyards.apply({"name": "bench", "vines": []})
        vineyard = client.vineyards.list().first()
        assert vineyard is not None
        rows = [
            {"vineyard_id": str(vineyard.id), "project_name": f"p{n}", "region": "eu-west-1"}
            for n in range(VINES)
        ]
        client.table("vines").insert(rows).execute()
        with httpx.Client(headers={"apikey": key}) as raw:
            asked: list[httpx.Request] = []
            client._http.event_hooks = {"request": [asked.append]}
            assert len(client.vines.list().all()) == VINES
            client._http.event_hooks = {}
            (same,) = asked
            headers = {
                "Authorization": f"Bearer {session.access_token}",
                "Prefer": same.headers["Prefer"],
            }

            def alone() -> Any:
                return raw.get(same.url, headers=headers).json()

            assert len(alone()) == VINES
            ways: dict[str, Callable[[], Any]] = {
                "httpx alone, .json()": alone,
                "client.vines.list().all()": lambda: client.vines.list().all(),
            }
            return in_turns(ways, rounds)


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> Times:
    """How long each way takes: A B, then B A."""
    times: Times = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in list(ways.items())[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    return times


def show(title: str, times: Times) -> None:
    """Prints a table; ratios are to the first."""
    first = statistics.median(next(iter(times.values())))
    print(f"| {title} | ms | ratio |\n| --- | ---: | ---: |")
    for name, found in times.items():
        median = statistics.median(found)
        spread = f"{min(found) * 1000:.0f} to {max(found) * 1000:.0f}"
        print(f"| `{name}` | {median * 1000:.0f} ({spread}) | {median / first:.2f} |")
    print()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    show("import", imports(rounds))
    with throwaway_stack(PROJECT) as (_, state):
        show("1,000 vines", lists(state.api_url, state.keys.publishable, rounds))


if __name__ == "__main__":
    main()
