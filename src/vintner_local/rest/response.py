"""Makes an HTTP answer of the one row that a request's statement gives."""

from __future__ import annotations

import json

from aiohttp import web

from vintner_local.rest.errors import failure, refused
from vintner_local.rest.plan import Call, Plan, Write
from vintner_local.rest.request import Request

Row = tuple[bytes | None, ...]
"""The columns as `answer_statement` lists them."""


def needs_check(request: Request) -> bool:
    """Whether the row decides if what was done may be committed."""
    return request.media.single or request.max_affected is not None


def check(row: Row, request: Request) -> None:
    """Refuses what an answer must not hold before it is committed.

    Raises:
        RestError: there are too many rows, or too few.
    """
    count, most = int(row[1] or 0), request.max_affected
    if request.media.single and count != 1:
        raise failure("PGRST116", details=f"The result contains {count} rows")
    if most is not None and request.method in ("PATCH", "DELETE", "POST") and count > most:
        raise failure("PGRST124", details=f"The query affects {count} rows")


def respond(plan: Plan, row: Row, *, names_schema: bool) -> web.Response:
    """The answer.

    Args:
        plan: the request's plan.
        row: what its statement gave.
        names_schema: whether the answer says which schema it is from.

    Raises:
        RestError: a function set what cannot be sent.
    """
    total, page, body, own_headers, own_status, inserted = row
    request, source = plan.request, plan.source
    count, first, totals = int(page or 0), 0, None if total is None else int(total)
    bodiless = isinstance(source, Call) and source.function.result == "void"
    if isinstance(source, Write):
        bodiless = request.prefer.get("return") != "representation"
        status = 204 if bodiless else 200
        if request.method == "POST":
            status = 200 if source.merges and int(inserted or 0) <= 0 else 201
        last = count - 1 if request.method == "PATCH" else -1
        totals = count if request.prefer.get("count") == "exact" else None
    else:
        first = plan.tree.offset
        last = first + count - 1
        status = 204 if bodiless else 206 if totals is not None and count < totals else 200
    shown = f"{first}-{last}" if totals != 0 and first <= last else "*"
    headers = {"Content-Range": f"{shown}/{'*' if totals is None else totals}"}
    if applied := _applied(plan):
        headers["Preference-Applied"] = applied
    if not bodiless:
        headers["Content-Type"] = request.media.content_type
        if names_schema:
            headers["Content-Profile"] = request.name[0]
    if totals is not None and first > totals:
        details = f"An offset of {first} was requested, but there are only {totals} rows."
        beyond = failure("PGRST103", details=details)
        status, body = beyond.status, beyond.body()
    if own_status is not None:
        if not own_status.isdigit() or not 100 <= int(own_status) <= 999:
            raise failure("PGRST112")
        status = int(own_status)
    if own_headers is not None:
        headers = _overridden(headers, own_headers)
    return web.Response(status=status, body=b"" if bodiless else body, headers=headers)


def _applied(plan: Plan) -> str:
    """The preferences that had a say, in PostgREST's order."""
    request, source = plan.request, plan.source
    writes = isinstance(source, Write)
    counted = request.is_call or request.method in ("PATCH", "DELETE")
    had_a_say = {
        "resolution": isinstance(source, Write) and bool(source.conflict),
        "missing": writes and request.method != "DELETE",
        "return": writes,
        "count": True,
        "handling": True,
        "max-affected": counted and request.max_affected is not None,
    }
    said = [name for name, had in had_a_say.items() if had and name in request.prefer]
    return ", ".join(f"{name}={request.prefer[name]}" for name in said)


def _overridden(headers: dict[str, str], setting: bytes) -> dict[str, str]:
    """Headers, with those that the setting `response.headers` brings in place of equal ones."""
    try:
        own = {name: str(value) for one in json.loads(setting) for name, value in one.items()}
    except (ValueError, TypeError, AttributeError):
        raise refused("A value of response.headers that is no list of objects") from None
    names = {name.lower() for name in own}
    return {name: text for name, text in headers.items() if name.lower() not in names} | own
