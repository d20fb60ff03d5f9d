"""Makes an HTTP answer of the one row that a request's statement gives."""

from __future__ import annotations

import json

from aiohttp import web

from vintner_local.rest.errors import RestError
from vintner_local.rest.plan import Call, Plan, Write
from vintner_local.rest.request import Request
from vintner_local.rest.syntax import Range

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
        message = "Cannot coerce the result to a single JSON object"
        raise RestError(406, "PGRST116", message, f"The result contains {count} rows")
    if most is not None and request.method in ("PATCH", "DELETE", "POST") and count > most:
        message = "Query result exceeds max-affected preference constraint"
        raise RestError(400, "PGRST124", message, f"The query affects {count} rows")


def respond(request: Request, plan: Plan, row: Row, *, names_schema: bool) -> web.Response:
    """The answer.

    Args:
        request: the request.
        plan: its plan.
        row: what its statement gave.
        names_schema: whether the answer says which schema it is from.

    Raises:
        RestError: a function set what cannot be sent.
    """
    total, page, body, own_headers, own_status, inserted = row
    count, source, prefer = int(page or 0), plan.source, request.prefer
    first, last, totals = 0, count - 1, None if total is None else int(total)
    bodiless = isinstance(source, Call) and source.function.result == "void"
    if isinstance(source, Write):
        bodiless = prefer.get("return") != "representation"
        status = 204 if bodiless else 200
        if source.method == "POST":
            replaced = source.merges and int(inserted or 0) <= 0
            status = 200 if replaced else 201
        last = last if source.method == "PATCH" else -1
        totals = count if prefer.get("count") == "exact" else None
    else:
        first = request.query.ranges.get((), Range()).offset
        last += first
        status = 204 if bodiless else 206 if totals is not None and count < totals else 200
    shown = f"{first}-{last}" if totals != 0 and first <= last else "*"
    headers = {"Content-Range": f"{shown}/{'*' if totals is None else totals}"}
    if applied := _applied(request, plan):
        headers["Preference-Applied"] = applied
    if not bodiless:
        headers["Content-Type"] = request.media.content_type
        if names_schema:
            headers["Content-Profile"] = request.name[0]
    if totals is not None and first > totals:
        details = f"An offset of {first} was requested, but there are only {totals} rows."
        beyond = RestError(416, "PGRST103", "Requested range not satisfiable", details)
        status, body = beyond.status, beyond.body()
    return web.Response(
        status=status if own_status is None else _own_status(own_status),
        body=b"" if bodiless else body,
        headers=headers if own_headers is None else _own_headers(own_headers, headers),
    )


def _applied(request: Request, plan: Plan) -> str:
    """The preferences that had a say, in PostgREST's order."""
    write = plan.source if isinstance(plan.source, Write) else None
    inserts = write is not None and write.method == "POST"
    had_a_say = {
        "resolution": inserts and write is not None and bool(write.conflict),
        "missing": inserts or request.method == "PATCH",
        "return": write is not None,
        "count": True,
        "handling": True,
        "max-affected": request.max_affected is not None
        and (isinstance(plan.source, Call) or request.method in ("PATCH", "DELETE")),
    }
    said = [name for name, had in had_a_say.items() if had and name in request.prefer]
    return ", ".join(f"{name}={request.prefer[name]}" for name in said)


def _own_status(setting: bytes) -> int:
    if not setting.isdigit() or not 100 <= int(setting) <= 999:
        raise RestError(500, "PGRST112", "response.status guc must be a valid status code")
    return int(setting)


def _own_headers(setting: bytes, headers: dict[str, str]) -> dict[str, str]:
    try:
        own = dict(pair for one in json.loads(setting) for pair in one.items())
    except (ValueError, TypeError, AttributeError):
        own = {"": None}
    if not all(isinstance(value, str) for value in own.values()):
        message = (
            "response.headers guc must be a JSON array composed of objects with a single key "
            "and a string value"
        )
        raise RestError(500, "PGRST111", message)
    overridden = {name.lower() for name in own}
    return {**{k: v for k, v in headers.items() if k.lower() not in overridden}, **own}
