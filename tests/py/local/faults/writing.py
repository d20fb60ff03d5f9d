"""Programs that write through the API while parts of the stack die."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from vintner_local.stack import StackState

TABLE = """
create table public.written (
  writer uuid not null,
  number bigint not null,
  owner uuid not null default auth.uid(),
  primary key (writer, number)
);
alter table public.written enable row level security;
create policy own on public.written to authenticated
  using (owner = auth.uid()) with check (owner = auth.uid());
grant select, insert on public.written to authenticated;
alter publication supabase_realtime add table public.written;
"""
PAUSE = 0.02
ANSWER_SECONDS = 5.0


@dataclass
class Writers:
    """What writers tried, and what they were told.

    Attributes:
        acknowledged: the rows that were answered with 201.
        tried: every row that was sent.
        refusals: how often another status came, by status and code.
        losses: how often no answer came.
    """

    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    tried: set[tuple[str, int]] = field(default_factory=set)
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)
    losses: int = 0

    async def write(self, state: StackState, token: str) -> None:
        """Writes rows of rising numbers, until cancelled."""
        writer, number = str(uuid4()), 0
        headers = {"apikey": state.keys.publishable, "Authorization": f"Bearer {token}"}
        url = f"{state.api_url}/rest/v1/written"
        async with httpx.AsyncClient(headers=headers, timeout=ANSWER_SECONDS) as http:
            while True:
                number += 1
                self.tried.add((writer, number))
                try:
                    answer = await http.post(url, json={"writer": writer, "number": number})
                except httpx.TransportError:
                    self.losses += 1
                    await asyncio.sleep(PAUSE)
                    continue
                if answer.status_code == 201:
                    self.acknowledged.add((writer, number))
                else:
                    self.refusals[answer.status_code, answer.json()["code"]] += 1
                await asyncio.sleep(PAUSE)


@asynccontextmanager
async def writing(state: StackState, token: str, count: int = 8) -> AsyncIterator[Writers]:
    """Lets writers write for as long as the context lasts."""
    writers = Writers()
    tasks = [asyncio.create_task(writers.write(state, token)) for _ in range(count)]
    try:
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
