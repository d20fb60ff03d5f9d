"""Claims from sessions that really run at the same time."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg

VINES = 12
JOBS_PER_VINE = 3
TENDRILS = 6


def act_as(connection: psycopg.Connection[tuple[UUID, ...]], user_id: UUID) -> None:
    """Makes a session speak as this user until it closes, as the Data API does per request."""
    claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
    connection.execute("set role authenticated")


def test_sessions_that_claim_at_once_share_the_jobs(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:

        def make(query: str, *args: object) -> UUID:
            row = admin.execute(query, args).fetchone()
            assert row is not None
            return UUID(str(row[0]))

        owner = make("select tests.sign_up('owner')")
        vines = [make("select tests.plant(%s, %s)", owner, f"p{n}") for n in range(VINES)]
        tendrils = [make("select tests.tendril(%s)", owner) for _ in range(TENDRILS)]
    with psycopg.connect(database, autocommit=True) as user:
        act_as(user, owner)
        for _ in range(JOBS_PER_VINE):
            for vine in vines:
                key = str(uuid4())
                user.execute("select public.enqueue_job(%s, 'PLAN', %s)", [vine, key])

    def work(tendril: UUID) -> list[tuple[UUID, UUID]]:
        done: list[tuple[UUID, UUID]] = []
        with psycopg.connect(database, autocommit=True) as session:
            act_as(session, tendril)
            idle = 0
            while idle < 20:
                claim = "select j.id, j.vine_id from public.claim_next_job(%s) as j"
                row = session.execute(claim, [tendril]).fetchone()
                if row is None or row[0] is None:
                    idle += 1
                    continue
                idle = 0
                done.append((row[0], row[1]))
                session.execute("select public.start_job(%s, 1)", [row[0]])
                session.execute("select public.complete_job(%s, 1, 'SUCCESS')", [row[0]])
        return done

    with ThreadPoolExecutor(TENDRILS) as pool:
        claims = [claim for done in pool.map(work, tendrils) for claim in done]

    assert Counter(Counter(job for job, _ in claims).values()) == {1: VINES * JOBS_PER_VINE}
    assert Counter(vine for _, vine in claims) == dict.fromkeys(vines, JOBS_PER_VINE)
