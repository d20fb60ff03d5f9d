"""Passes a request on to another HTTP server of this machine, and its answer back, as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from vintner_local.ports import HOST

OF_ONE_CONNECTION = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that concern one connection and are never passed on (RFC 9110, section 7.6.1)."""

AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that adds nothing of its own to what it passes on."""
    async with aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None),
        skip_auto_headers=AUTOMATIC,
        max_line_size=2**16,
        max_field_size=2**16,
    ) as session:
        yield session


async def answer_of(
    session: aiohttp.ClientSession,
    request: web.Request,
    port: int,
    path: str,
    headers: Mapping[str, str],
) -> aiohttp.ClientResponse:
    """Sends a request on.

    Args:
        session: made by `client`.
        request: what came in.
        port: where the other server listens.
        path: encoded path to ask for, without the query.
        headers: replace those of the request; an empty value leaves one out.

    Returns:
        The answer, of which nothing but the head has been read.

    Raises:
        aiohttp.ClientError: the server went away.
    """
    sent = _passed(request.headers)
    for name, value in headers.items():
        sent.pop(name, None)
        if value:
            sent[name] = value
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    return await session.request(
        request.method,
        URL(f"http://{HOST}:{port}{path}{query}", encoded=True),
        headers=sent,
        data=request.content if request.can_read_body else None,
        allow_redirects=False,
    )


async def give_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Answers a request with another server's answer, piece by piece as it comes.

    Args:
        request: what came in.
        answer: see `answer_of`.
    """
    async with answer:
        response = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=_passed(answer.headers)
        )
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in answer.content.iter_any():
                await response.write(piece)
        await response.write_eof()
        return response


def _passed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in OF_ONE_CONNECTION
    )
