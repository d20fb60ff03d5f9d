"""PostgREST as the resources use it: reading, writing and calling, in JSON.

The forms are PostgREST 14's (docs.postgrest.org: Tables and Views, Functions as RPC, Prefer).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from vintner_client._async.http import REST_PATH, AsyncHttpClient
from vintner_client._parsing import from_json, to_json
from vintner_client._retries import IDEMPOTENCY_KEY

if TYPE_CHECKING:
    from postgrest import AsyncPostgrestClient, AsyncRequestBuilder

JSON = {"Content-Type": "application/json"}
GIVE_BACK = {**JSON, "Prefer": "return=representation"}


@dataclass(frozen=True)
class Page:
    """Rows of a table.

    Attributes:
        content: the rows in JSON.
        count: how many there are in all, if that was asked for.
    """

    content: bytes
    count: int | None


class AsyncTransport:
    """The way to PostgREST.

    Args:
        url: the project's URL.
        key: its API key.
        http: the shared HTTP client.
    """

    def __init__(self, url: str, key: str, http: AsyncHttpClient) -> None:
        self._url = f"{url}{REST_PATH}"
        self._key = key
        self._http = http
        self._postgrest: AsyncPostgrestClient | None = None

    def table(self, name: str) -> AsyncRequestBuilder:
        """The raw PostgREST builder of a table."""
        # imported on first use: what has a method does without it
        from postgrest import AsyncPostgrestClient

        if self._postgrest is None:
            # retries are the HTTP client's, which knows what is safe
            self._postgrest = AsyncPostgrestClient(
                self._url,
                headers={"apikey": self._key},
                http_client=self._http,
                retry_enabled=False,
            )
        return self._postgrest.table(name)

    async def read(
        self, table: str, params: Sequence[tuple[str, str]], *, counted: bool = False
    ) -> Page:
        """Reads rows of a table.

        Args:
            table: in `public`.
            params: as PostgREST takes them.
            counted: whether to say how many rows there are in all.
        """
        headers = {"Prefer": "count=exact"} if counted else {}
        answer = await self._http.get(f"{self._url}/{table}", params=tuple(params), headers=headers)
        # RFC 9110, 14.4: first-last/total
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        return Page(answer.content, int(total) if total.isdecimal() else None)

    async def insert(self, table: str, values: Mapping[str, Any]) -> Any:
        """Inserts one row; gives the rows that were made."""
        return await self._write("POST", table, GIVE_BACK, values)

    async def update(self, table: str, row_id: str, values: Mapping[str, Any]) -> Any:
        """Changes the row of an id; gives the rows that were changed."""
        return await self._write("PATCH", f"{table}?id=eq.{row_id}", GIVE_BACK, values)

    async def delete(self, table: str, row_id: str) -> Any:
        """Deletes the row of an id; gives the rows that are gone."""
        return await self._write("DELETE", f"{table}?id=eq.{row_id}", GIVE_BACK)

    async def rpc(self, function: str, **params: Any) -> Any:
        """Calls a function of the database and gives its JSON answer.

        Args:
            function: its name in `public`.
            params: its arguments, without the `p_` that each name has in SQL. One that is named
                `idempotency_key` makes the call safe to repeat.
        """
        arguments = {f"p_{name}": value for name, value in params.items()}
        key = params.get("idempotency_key")
        headers = JSON if key is None else {**JSON, IDEMPOTENCY_KEY: str(key)}
        return await self._write("POST", f"rpc/{function}", headers, arguments)

    async def _write(
        self, method: str, path: str, headers: Mapping[str, str], body: Any = None
    ) -> Any:
        content = None if body is None else to_json(body)
        answer = await self._http.request(
            method, f"{self._url}/{path}", content=content, headers=headers
        )
        return None if answer.status_code == httpx.codes.NO_CONTENT else from_json(answer.content)


def new_idempotency_key() -> str:
    """A key that makes a request which is sent twice one job."""
    return uuid4().hex
