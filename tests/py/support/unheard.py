"""Jobs whose logs Realtime does not broadcast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from vintner_client.models import Job
from vintner_local.pytest_plugin import SupabaseStack

NO_POLICY = """
create policy {name} on realtime.messages as restrictive for select to authenticated
using (realtime.topic() <> {topic})
"""
NO_SENDING = """
create function public.{name}() returns trigger language plpgsql as 'begin return null; end';
create trigger {name} before insert on realtime.messages
for each row when (new.topic = {topic} and new.event = 'log')
execute function public.{name}();
"""


@contextmanager
def refused(stack: SupabaseStack, job: Job) -> Iterator[None]:
    """Lets nobody join a job's channel."""
    with _altered(stack, job, NO_POLICY, "drop policy {name} on realtime.messages"):
        yield


@contextmanager
def silent(stack: SupabaseStack, job: Job) -> Iterator[None]:
    """Lets the database say nothing on a job's channel."""
    with _altered(stack, job, NO_SENDING, "drop function public.{name} cascade"):
        yield


@contextmanager
def _altered(stack: SupabaseStack, job: Job, statements: str, undo: str) -> Iterator[None]:
    name = sql.Identifier(f"test_{job.id.hex}")
    topic = sql.Literal(f"job:{job.id}")
    with psycopg.connect(stack.admin_db_url, autocommit=True) as database:
        database.execute(sql.SQL(statements).format(name=name, topic=topic))
        try:
            yield
        finally:
            database.execute(sql.SQL(undo).format(name=name))
