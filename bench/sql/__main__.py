"""What the database sustains: claims beside other queues, reads under policies, logs taken in.

Run as `make bench-sql`, or `make bench-sql ARGS=--quick` for a first look. It starts a PostgreSQL
server of its own and prints tables. What the machine does beside it falls on all systems alike,
since they take turns; compare within one run only.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from copy import copy

import claims
import ingest
import queues
import reads
from server import throwaway_server

PARTS = ("claims", "reads", "logs")
SIZES = ((0, 0), (0, 1_000_000), (100_000, 100_000), (1_000_000, 1_000_000))
QUICK_SIZES = ((0, 0), (20_000, 20_000))


def main() -> None:
    """Starts a server, measures, prints, and removes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, in about 2 minutes")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument(
        "--most", type=int, default=1_000_000, help="jobs; larger sizes are left out"
    )
    parser.add_argument("--seconds", type=float, default=None, help="of a round")
    parser.add_argument("--rounds", type=int, default=None, help="of each system in each cell")
    wished = parser.parse_args()
    seconds = wished.seconds or (1 if wished.quick else 3)
    rounds = wished.rounds or (2 if wished.quick else 4)
    began = time.monotonic()
    # whoever ends it, the server goes too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with throwaway_server() as server:
        print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}.")
        print(f"PostgreSQL: {server.settings()}.\n")
        if "claims" in wished.only:
            ours = queues.Vintner(server)
            others = (
                queues.Procrastinate(server),
                queues.Pgqueuer(server),
                queues.Procrastinate(server, locks=True),
            )
            for system in (ours, *others):
                system.install(server)
            unstarted = copy(ours)
            unstarted.starts = False
            systems = (ours, unstarted, *others)
            sizes, sessions = (QUICK_SIZES, (1, 4)) if wished.quick else (SIZES, (1, 4, 8))
            fitting = [size for size in sizes if max(size) <= wished.most]
            claims.compare(server, systems, fitting, sessions, seconds, rounds)
            claims.behind_others(server, ours, 10_000 if wished.quick else 100_000, seconds, rounds)
        if "reads" in wished.only:
            reads.compare(server, *(100, 10) if wished.quick else (1_000, 100))
        if "logs" in wished.only:
            ingest.measure(server, seconds, rounds)
    print(f"All of it took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
