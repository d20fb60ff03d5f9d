"""One pool of HTTP/1.1 connections for PostgREST and Auth.

Errors and retries are decided here, where the answer comes in, so that whatever speaks through this
client, postgrest and supabase_auth included, raises this library's errors and no others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import httpx

from vintner_client._answers import error_from
from vintner_client._concurrency.async_tools import async_sleep
from vintner_client._retries import Retries, leaves_unsure, pause
from vintner_client.errors import ClientClosed, ConnectionFailed, InvalidInput, ServerFailed

if TYPE_CHECKING:
    from vintner_client._async.auth import AsyncAuth

REST_PATH = "/rest/v1"


class AsyncHttpClient(httpx.AsyncClient):
    """An httpx client that repeats what is safe, and raises `VintnerError` for everything else.

    Args:
        key: the project's API key.
        timeout: seconds for connecting, and for each answer.
        retries: how often a request is repeated.
        lender: another client, whose connections are used and which closes them.
    """

    def __init__(
        self,
        *,
        key: str,
        timeout: httpx.Timeout,
        retries: Retries,
        lender: AsyncHttpClient | None = None,
    ) -> None:
        super().__init__(
            headers={"apikey": key, "X-Client-Info": "vintner-client-python"},
            timeout=timeout,
            transport=None if lender is None else httpx.AsyncBaseTransport(),
        )
        self._retries = retries
        self._lender = lender

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        """See `httpx.AsyncClient`.

        Raises:
            InvalidInput: no URL or body can hold what a caller gave.
        """
        try:
            return super().build_request(*args, **options)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise InvalidInput(
                f"That cannot be asked: {error}.", hint="Ask for less at a time, in plain text."
            ) from error

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Sends a request, again where that is safe and may help.

        Raises:
            VintnerError: no answer came, or one that is not a success.
        """
        tried = 0
        may_have_acted = False
        while True:
            tried += 1
            response = None
            try:
                response = await self._once(request, options)
            except httpx.TransportError as error:
                # who signs in anew does no harm
                is_of_rest = request.url.path.startswith(REST_PATH)
                may_have_acted |= is_of_rest and leaves_unsure(request, error)
                if not self._retries.after_failure(request, error, tried):
                    raise _unreachable(request, error, may_have_acted) from error
            except httpx.RequestError as error:
                raise ServerFailed(
                    f"The server's answer cannot be read: {error}", hint="Check SUPABASE_URL."
                ) from error
            else:
                if response.is_success:
                    if _is_page(response):
                        raise _not_the_api(request)
                    return response
                if response.has_redirect_location:
                    raise _elsewhere(request, response)
                if not self._retries.after_answer(request, response, tried):
                    raise error_from(response)
            await async_sleep(pause(tried, response))

    async def _once(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        if self.is_closed:
            raise client_closed()
        if self._lender is not None:
            return await self._lender._once(request, options)
        try:
            return await super().send(request, **options)
        except httpx.TransportError as error:
            if self.is_closed:
                raise client_closed() from error
            raise


def _is_page(response: httpx.Response) -> bool:
    """Whether an answer is for people: a dashboard, or a network that one has to sign in to."""
    return bool(response.headers.get("content-type", "").startswith("text/html"))


def _not_the_api(request: httpx.Request) -> ServerFailed:
    return ServerFailed(
        f"{_origin(request)} answers with a web page where a project's API is expected.",
        hint="Check SUPABASE_URL, and that no network asks you to sign in first.",
    )


def _elsewhere(request: httpx.Request, response: httpx.Response) -> ServerFailed:
    # not followed: that would turn writes into reads, and hand a password on to anybody
    there = response.headers["location"].partition("?")[0]
    return ServerFailed(
        f"{_origin(request)} answers that it has moved to {there}.",
        hint="Check SUPABASE_URL: https is wanted where http is not served.",
        status=response.status_code,
    )


def _origin(request: httpx.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode()}"


def client_closed() -> ClientClosed:
    """What who uses a closed client is told."""
    return ClientClosed("The client is closed.", hint="Make a new one.")


def _unreachable(
    request: httpx.Request, error: httpx.TransportError, may_have_acted: bool
) -> ConnectionFailed:
    origin = _origin(request)
    if isinstance(error, httpx.TimeoutException):
        message, hint = f"{origin} did not answer in time.", "Check that it is up, then try again."
    elif isinstance(error, httpx.ConnectError):
        message = f"{origin} cannot be reached."
        hint = "Check SUPABASE_URL and that the stack is running."
    else:
        message, hint = f"The connection to {origin} broke.", "Try again."
    if may_have_acted:
        hint = "What was asked may have been done all the same: look before you ask again."
    return ConnectionFailed(message, hint=hint)


class AsyncBearerAuth(httpx.Auth):
    """Signs each PostgREST request with the caller's access token, renewed when it has to be.

    Args:
        auth: has the access token, if anybody has signed in.
    """

    def __init__(self, auth: AsyncAuth) -> None:
        self._auth = auth

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        if not request.url.path.startswith(REST_PATH):
            yield request
            return
        token = await self._auth.access_token()
        if token is None:
            yield request
            return
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if await _is_refused(response):
            renewed = await self._auth.access_token()
            if renewed == token:  # another request has not renewed it since
                renewed = await self._auth.access_token(fresh=True)
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
