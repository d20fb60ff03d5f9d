"""The way to the server: one pool of HTTP/1.1 connections for PostgREST and Auth.

Errors are decided here, where the answer comes in, so that whatever speaks through this client,
postgrest and supabase_auth included, raises this library's errors and no others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
from postgrest import AsyncPostgrestClient, AsyncRequestBuilder
from pydantic import BaseModel, ValidationError

from vintner_client._answers import error_from
from vintner_client.errors import ClientClosed, ConnectionFailed, ServerFailed

REST_PATH = "/rest/v1"

Row = TypeVar("Row", bound=BaseModel)


class HttpClient(httpx.AsyncClient):
    """An httpx client that raises `VintnerError` where httpx would raise or answer an error."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Sends a request.

        Raises:
            VintnerError: no answer came, or one that is not a success.
        """
        if self.is_closed:
            raise _closed()
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        try:
            response = await super().send(request, **options)
        except httpx.TimeoutException as error:
            raise ConnectionFailed(
                f"{origin} did not answer in time.", hint="Check that it is up, then try again."
            ) from error
        except httpx.TransportError as error:
            if self.is_closed:
                raise _closed() from error
            raise ConnectionFailed(
                f"{origin} cannot be reached.",
                hint="Check SUPABASE_URL and that the stack is running.",
            ) from error
        if not response.is_success:
            raise error_from(response)
        return response


def _closed() -> ClientClosed:
    return ClientClosed("The client is closed.", hint="Make a new one.")


class BearerAuth(httpx.Auth):
    """Signs each PostgREST request with the caller's access token, renewed when it has to be.

    Args:
        token: gives the access token, or None for none; True asks for a fresh one.
    """

    def __init__(self, token: Callable[[bool], Awaitable[str | None]]) -> None:
        self._token = token

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        if not request.url.path.startswith(REST_PATH):
            yield request
            return
        token = await self._token(False)
        if token is None:
            yield request
            return
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if await _is_refused(response):
            renewed = await self._token(True)
            if renewed is not None and renewed != token:
                request.headers["Authorization"] = f"Bearer {renewed}"
                yield request


async def _is_refused(response: httpx.Response) -> bool:
    """Whether a token is over, or the session behind it.

    PostgREST says the one before it does anything, and the database undoes what it did when it
    says the other, so repeating is safe even for writes.
    """
    if response.status_code != 401:
        return False
    return "invalid_token" in response.headers.get(
        "www-authenticate", ""
    ) or b'"not_signed_in"' in (await response.aread())


class Transport:
    """PostgREST as the resources use it.

    Args:
        url: the project's URL.
        key: its API key.
        http: the shared HTTP client.
    """

    def __init__(self, url: str, key: str, http: HttpClient) -> None:
        # postgrest would wait up to 7 s before it says that a server is down
        self._postgrest = AsyncPostgrestClient(
            f"{url}{REST_PATH}", headers={"apikey": key}, http_client=http, retry_enabled=False
        )

    def table(self, name: str) -> AsyncRequestBuilder:
        """The raw PostgREST builder of a table."""
        return self._postgrest.table(name)

    async def rpc(self, function: str, **params: Any) -> Any:
        """Calls a function of the database and gives its JSON answer.

        Args:
            function: its name in `public`.
            params: its arguments, without the `p_` that each name has in SQL.
        """
        arguments = {f"p_{name}": value for name, value in params.items()}
        answer = await self._postgrest.rpc(function, arguments).execute()
        return answer.data


def parse(model: type[Row], data: Any) -> Row:
    """A row as a model.

    Raises:
        ServerFailed: the answer is not such a row.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = ", ".join(sorted({str(e["loc"][0]) for e in error.errors() if e["loc"]}))
        raise ServerFailed(
            f"The server's {model.__name__} is not as expected ({fields or 'not an object'}).",
            hint="Update this client, or apply Vintner's migrations to the project.",
        ) from error


def parse_all(model: type[Row], rows: Any) -> list[Row]:
    """Rows as models; see `parse`."""
    return [parse(model, row) for row in rows]
