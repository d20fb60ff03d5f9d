"""An HTTP request as PostgREST reads it: target, query, preferences, media type and body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, unquote_plus

from vintner_local.rest import grammar
from vintner_local.rest.errors import RestError, refused
from vintner_local.rest.schema import Name
from vintner_local.rest.syntax import Condition, EmbedPath, Item, OrderTerm, Range

READS = ("GET", "HEAD")
METHODS = (*READS, "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
OBJECT = "application/vnd.pgrst.object+json"
ARRAY = "application/vnd.pgrst.array+json"
PLAIN = ("*/*", "application/*", "application/json", ARRAY, ARRAY.removesuffix("+json"))
REFUSED_MEDIA = {
    "text/csv": "CSV",
    "application/geo+json": "GeoJSON",
    "application/vnd.pgrst.plan": "A query plan",
    "application/x-www-form-urlencoded": "A body of form fields",
}
PREFERENCES = {
    "resolution": r"merge-duplicates|ignore-duplicates",
    "missing": r"default|null",
    "return": r"representation|minimal|headers-only",
    "count": r"exact|planned|estimated",
    "tx": r"commit|rollback",
    "handling": r"strict|lenient",
    "timezone": r".*",
    "max-affected": r".*",
}
REFUSED_PREFERENCES = ("return=headers-only", "count=planned", "count=estimated")


@dataclass(frozen=True, slots=True)
class Media:
    """The shape of the answer's body."""

    single: bool = False
    nulls_stripped: bool = False

    @property
    def content_type(self) -> str:
        if not self.single and not self.nulls_stripped:
            return "application/json; charset=utf-8"
        stripped = ";nulls=stripped" if self.nulls_stripped else ""
        return f"{OBJECT if self.single else ARRAY}{stripped}; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Payload:
    """A request's body as JSON text, and the keys that its objects have."""

    json: str
    keys: frozenset[str]

    @property
    def is_object(self) -> bool:
        return self.json.lstrip(" \t\r\n").startswith("{")


@dataclass(slots=True)
class Query:
    """The query string, parsed."""

    select: tuple[Item, ...] = ()
    conditions: list[tuple[EmbedPath, Condition]] = field(default_factory=list)
    order: list[tuple[EmbedPath, tuple[OrderTerm, ...]]] = field(default_factory=list)
    ranges: dict[EmbedPath, Range] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] | None = None
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """All that the planner needs to know.

    Attributes:
        is_call: whether `name` is a function, rather than a table or view.
        prefer: what the `Prefer` headers ask for.
        max_affected: the most rows that may be changed; None without `handling=strict`.
        payload: the body of a write or a function call.
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
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    prefer: Iterable[str],
    body: bytes,
    schemas: tuple[str, ...],
) -> Request:
    """Reads a request.

    Args:
        method: HTTP method.
        path: the URL's path below the API's root, still percent-encoded.
        query: the URL's query string, still percent-encoded.
        headers: request headers, looked up without regard to case.
        prefer: all `Prefer` headers.
        body: the request's body.
        schemas: the exposed schemas, the default one first.

    Raises:
        RestError: the request is malformed, or asks for what is not served.
    """
    if method not in METHODS:
        raise RestError(405, "PGRST117", f"Unsupported HTTP method: {method}")
    is_call, name = _target(path)
    if is_call and method not in (*READS, "POST", "OPTIONS"):
        raise RestError(405, "PGRST101", f"Cannot use the {method} method on RPC")
    if method in ("PUT", "OPTIONS"):
        raise refused(method)
    if method == "GET" and "Range" in headers:
        raise refused("The header Range")
    profile = "Accept-Profile" if method in READS else "Content-Profile"
    schema = headers.get(profile, schemas[0])
    if schema not in schemas:
        hint = f"Only the following schemas are exposed: {', '.join(schemas)}"
        raise RestError(406, "PGRST106", f"Invalid schema: {schema}", hint=hint)
    parsed = _query(query, may_have_arguments=is_call and method in READS)
    preferences = _preferences(prefer)
    affected = re.fullmatch(r"-?\d{1,18}", preferences.get("max-affected", ""))
    return Request(
        method,
        is_call,
        (schema, name),
        parsed,
        preferences,
        int(affected[0]) if affected and preferences.get("handling") == "strict" else None,
        _media(headers.get("Accept") or "*/*"),
        _payload(method, is_call, headers.get("Content-Type", ""), body, parsed.columns),
    )


def _target(path: str) -> tuple[bool, str]:
    match [unquote(part) for part in path.strip("/").split("/")]:
        case [""]:
            raise refused("The OpenAPI description")
        case ["rpc", name]:
            return True, name
        case [name]:
            return False, name
        case _:
            raise RestError(404, "PGRST125", "Invalid path specified in request URL")


def _query(text: str, *, may_have_arguments: bool) -> Query:
    found = Query()
    names: dict[str, str] = {}
    for part in text.split("&"):
        if "=" not in part:
            continue
        key, value = (unquote_plus(half) for half in part.split("=", 1))
        match key.rsplit(".", 1)[-1]:
            case _ if key in ("select", "columns", "on_conflict"):
                names.setdefault(key, value)
            case "order":
                found.order.append((grammar.parse_path(key), grammar.parse_order(value)))
            case "limit" | "offset" as bound:
                if re.fullmatch(r"-?\d{1,18}", value):
                    _bound(found.ranges, grammar.parse_path(key), bound, int(value))
            case "and" | "or":
                found.conditions.append(grammar.parse_logic(key, value))
            case _:
                try:
                    found.conditions.append(grammar.parse_filter(key, value))
                except RestError:
                    if not may_have_arguments or "." in key:
                        raise
                    found.arguments[key] = value
    found.select = grammar.parse_select(names.get("select", "*"))
    if "columns" in names:
        found.columns = grammar.parse_names(names["columns"], "columns")
    if "on_conflict" in names:
        found.on_conflict = grammar.parse_names(names["on_conflict"], "on_conflict")
    return found


def _bound(ranges: dict[EmbedPath, Range], path: EmbedPath, bound: str, value: int) -> None:
    if bound == "limit" and value < 0:
        details = "Limit should be greater than or equal to zero."
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details)
    ranges[path] = replace(ranges.get(path, Range()), **{bound: max(value, 0)})


def _preferences(headers: Iterable[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    invalid = []
    for preference in (part.strip() for header in headers for part in header.split(",")):
        key, _, value = preference.partition("=")
        if re.fullmatch(PREFERENCES.get(key, "(?!)"), value):
            chosen.setdefault(key, value)
        elif preference:
            invalid.append(preference)
        if preference in REFUSED_PREFERENCES or key == "timezone":
            raise refused(f"The preference {preference}")
    if chosen.get("handling") == "strict" and invalid:
        details = f"Invalid preferences: {', '.join(invalid)}"
        message = "Invalid preferences given with handling=strict"
        raise RestError(400, "PGRST122", message, details)
    return chosen


def _media(accept: str) -> Media:
    asked = [
        [piece.strip() for piece in part.lower().replace('"', "").split(";")]
        for part in accept.split(",")
    ]
    asked.sort(key=_quality, reverse=True)
    for mime, *parameters in asked:
        stripped = "nulls=stripped" in parameters
        if mime in (OBJECT, OBJECT.removesuffix("+json")):
            return Media(single=True, nulls_stripped=stripped)
        if mime in PLAIN:
            return Media(nulls_stripped=stripped and "array" in mime)
        _refuse_media(mime.partition("+")[0] if "plan" in mime else mime)
    names = ", ".join(mime for mime, *_ in asked)
    raise RestError(406, "PGRST107", f"None of these media types are available: {names}")


def _quality(asked: list[str]) -> float:
    found = re.search(r";q=(\d(?:\.\d*)?)$", ";".join(asked))
    return float(found[1]) if found else 1.0


def _refuse_media(mime: str) -> None:
    if mime in REFUSED_MEDIA:
        raise refused(REFUSED_MEDIA[mime])


def _payload(
    method: str, is_call: bool, content_type: str, body: bytes, columns: tuple[str, ...] | None
) -> Payload | None:
    if method not in ("POST", "PATCH"):
        return None
    mime = content_type.partition(";")[0].strip().lower()
    if mime not in ("", "application/json") and (body or mime != "application/octet-stream"):
        _refuse_media(mime)
        if is_call:
            raise refused(f"A function call with a body of type {mime}")
        raise RestError(400, "PGRST102", f"Content-Type not acceptable: {mime}")
    if not body and is_call:
        return Payload("{}", frozenset())
    try:
        text = body.decode()
        if columns is not None:
            return Payload(text, frozenset(columns))
        value = json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise RestError(400, "PGRST102", "Empty or invalid json") from None
    objects = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    keys = objects[0].keys() if objects and isinstance(objects[0], dict) else {}.keys()
    if not all(isinstance(one, dict) and one.keys() == keys for one in objects):
        raise RestError(400, "PGRST102", "All object keys must match")
    return Payload(text if isinstance(value, list | dict) else "[]", frozenset(keys))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
