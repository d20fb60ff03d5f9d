"""An HTTP request as PostgREST reads it: target, query, preferences, media type and body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, unquote_plus

from aiohttp import web

from vintner_local.rest import grammar
from vintner_local.rest.errors import RestError, failure, refused
from vintner_local.rest.schema import Name
from vintner_local.rest.syntax import Column, Condition, EmbedPath, Field, Item, OrderTerm

READS = ("GET", "HEAD")
METHODS = (*READS, "POST", "PATCH", "DELETE")
JSON = "application/json"
OBJECT = "application/vnd.pgrst.object"
ARRAY = "application/vnd.pgrst.array"
PLAN = "application/vnd.pgrst.plan"
REFUSED_MEDIA = {"text/csv": "CSV", "application/geo": "GeoJSON", PLAN: "A query plan"}
PREFERENCES = {
    *("resolution=merge-duplicates", "resolution=ignore-duplicates"),
    *("missing=default", "missing=null", "return=representation", "return=minimal"),
    *("count=exact", "handling=strict", "handling=lenient", "tx=commit", "tx=rollback"),
}
REFUSED_PREFERENCES = re.compile("return=headers-only|count=(planned|estimated)|timezone=.*")
ALL: tuple[Item, ...] = (Column(Field("*")),)
_NUMBER = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Media:
    """The shape of the answer's body."""

    content_type: str
    single: bool = False
    nulls_stripped: bool = False


@dataclass(frozen=True, slots=True)
class Payload:
    """What a write or a function call is given.

    Attributes:
        json: one object or a list of them, as text.
        keys: the keys that the objects have, or shall be taken to have.
        fills_defaults: whether a key that an object lacks takes its column's default.
    """

    json: str
    keys: frozenset[str]
    fills_defaults: bool = False

    @property
    def is_object(self) -> bool:
        return self.json.lstrip(" \t\r\n").startswith("{")


@dataclass(slots=True)
class Query:
    """The query string, parsed.

    Attributes:
        names: the lists of columns that `columns` and `on_conflict` give.
        arguments: a function's, as far as they are no filters.
    """

    select: tuple[Item, ...] = ALL
    conditions: list[tuple[EmbedPath, Condition]] = field(default_factory=list)
    order: list[tuple[EmbedPath, tuple[OrderTerm, ...]]] = field(default_factory=list)
    ranges: dict[EmbedPath, dict[str, int]] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """All that the planner needs to know.

    Attributes:
        is_call: whether `name` is a function, rather than a table or view.
        prefer: what the `Prefer` headers ask for.
        max_affected: the most rows that may be changed; None without `handling=strict`.
        payload: what a write or a function call is given; None for other requests.
    """

    method: str
    is_call: bool
    name: Name
    query: Query
    prefer: Mapping[str, str]
    max_affected: int | None
    media: Media
    payload: Payload | None


def parse_request(
    http: web.BaseRequest, path: str, body: bytes, schemas: tuple[str, ...]
) -> Request:
    """Reads a request.

    Args:
        http: the request as it came, but for its body.
        path: the URL's path below the API's root, still percent-encoded.
        body: the request's body.
        schemas: the exposed schemas, the default one first.

    Raises:
        RestError: the request is malformed, or asks for what is not served.
    """
    method, headers = http.method, http.headers
    is_call, name = _target(path)
    if is_call and method in ("PATCH", "PUT", "DELETE"):
        raise failure("PGRST101", method)
    if method not in METHODS:
        raise refused(f"The method {method}")
    if method == "GET" and "Range" in headers:
        raise refused("The header Range")
    profile = "Accept-Profile" if method in READS else "Content-Profile"
    schema = headers.get(profile, schemas[0])
    if schema not in schemas:
        hint = f"Only the following schemas are exposed: {', '.join(schemas)}"
        raise failure("PGRST106", schema, hint=hint)
    parsed = _query(http.rel_url.raw_query_string, may_have_arguments=is_call and method in READS)
    preferences = _preferences(headers.getall("Prefer", ()))
    affected = _NUMBER.fullmatch(preferences.get("max-affected", ""))
    payload = None
    if method in ("POST", "PATCH"):
        payload = _payload(
            is_call, headers.get("Content-Type", JSON), body, parsed.names.get("columns")
        )
        if not is_call and preferences.get("missing") == "default":
            payload = replace(payload, fills_defaults=True)
    elif is_call:
        payload = Payload(json.dumps(parsed.arguments), frozenset(parsed.arguments))
    return Request(
        method,
        is_call,
        (schema, name),
        parsed,
        preferences,
        int(affected[0]) if affected and preferences.get("handling") == "strict" else None,
        _media(headers.get("Accept", "*/*")),
        payload,
    )


def _target(path: str) -> tuple[bool, str]:
    match [unquote(part) for part in path.strip("/").split("/")]:
        case [""]:
            raise refused("The OpenAPI description")
        case ["rpc", name]:
            return True, name
        case [name]:
            return False, name
    raise failure("PGRST125")


def _query(text: str, *, may_have_arguments: bool) -> Query:
    found = Query()
    for part in text.split("&"):
        key, given, value = (unquote_plus(piece) for piece in part.partition("="))
        match key.rsplit(".", 1)[-1]:
            case _ if not given:
                pass
            case "select" if key == "select":
                if found.select is ALL:
                    found.select = grammar.parse_select(value)
            case "columns" | "on_conflict" if "." not in key:
                found.names.setdefault(key, grammar.parse_names(value, key))
            case "order":
                found.order.append((grammar.parse_path(key), grammar.parse_order(value)))
            case "limit" | "offset" as bound:
                rows = found.ranges.setdefault(grammar.parse_path(key), {})
                if _NUMBER.fullmatch(value):
                    rows[bound] = max(int(value), 0)
                    if bound == "limit" and int(value) < 0:
                        details = "Limit should be greater than or equal to zero."
                        raise failure("PGRST103", details=details)
            case "and" | "or":
                found.conditions.append(grammar.parse_logic(key, value))
            case _:
                try:
                    found.conditions.append(grammar.parse_filter(key, value))
                except RestError:
                    if not may_have_arguments or "." in key:
                        raise
                    found.arguments[key] = value
    return found


def _preferences(headers: Iterable[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    invalid = []
    for preference in filter(None, (part.strip() for part in ",".join(headers).split(","))):
        if REFUSED_PREFERENCES.fullmatch(preference):
            raise refused(f"The preference {preference}")
        key, _, value = preference.partition("=")
        if preference in PREFERENCES or key == "max-affected":
            chosen.setdefault(key, value)
        else:
            invalid.append(preference)
    if chosen.get("handling") == "strict" and invalid:
        raise failure("PGRST122", details=f"Invalid preferences: {', '.join(invalid)}")
    return chosen


def _media(accept: str) -> Media:
    asked = [
        [piece.strip() for piece in part.split(";")]
        for part in accept.lower().replace('"', "").split(",")
    ]
    for mime, *parameters in sorted(asked, key=_quality, reverse=True):
        kind = mime.removesuffix("+json")
        stripped = ";nulls=stripped" if "nulls=stripped" in parameters else ""
        if kind == OBJECT or (kind == ARRAY and stripped):
            content_type = f"{kind}+json{stripped}; charset=utf-8"
            return Media(content_type, kind == OBJECT, bool(stripped))
        if kind in ("", "*/*", "application/*", JSON, ARRAY):
            return Media(f"{JSON}; charset=utf-8")
        if kind in REFUSED_MEDIA:
            raise refused(REFUSED_MEDIA[kind])
    raise failure("PGRST107", ", ".join(mime for mime, *_ in asked))


def _quality(asked: list[str]) -> float:
    found = re.search(r";q=(\d(?:\.\d*)?)$", ";".join(asked))
    return float(found[1]) if found else 1.0


def _payload(
    is_call: bool, content_type: str, body: bytes, columns: tuple[str, ...] | None
) -> Payload:
    mime = content_type.partition(";")[0].strip().lower()
    if mime != JSON:
        raise refused(f"A body of the type {mime}")
    if not body and is_call:
        return Payload("{}", frozenset())
    try:
        text = body.decode()
        if columns is not None:
            return Payload(text, frozenset(columns))
        value = json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise failure("PGRST102", "Empty or invalid json") from None
    objects = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    keys = objects[0].keys() if objects and isinstance(objects[0], dict) else {}.keys()
    if not all(isinstance(one, dict) and one.keys() == keys for one in objects):
        raise failure("PGRST102", "All object keys must match")
    return Payload(text if isinstance(value, list | dict) else "[]", frozenset(keys))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
