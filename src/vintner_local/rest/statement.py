"""Writes a plan as one SQL statement whose single row is the answer."""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from dataclasses import dataclass

from vintner_local.rest.plan import SOURCE, Call, Plan, Write
from vintner_local.rest.request import Request
from vintner_local.rest.source_sql import INSERTED, SourceWriter

_ANSWER = "_postgrest_t"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$n` placeholders, and their values."""

    text: str
    values: tuple[str, ...] = ()


def answer_statement(plan: Plan, request: Request) -> Statement:
    """The statement that does all a request asks for.

    Its one row holds: the total of rows if `count=exact`, the number of rows answered, the body,
    the settings `response.headers` and `response.status`, and how many rows an upsert inserted.

    Args:
        plan: the request's plan.
        request: the request.
    """
    writer = SourceWriter()
    wants_total = request.prefer.get("count") == "exact" and not isinstance(plan.source, Write)
    prefix = f"WITH {SOURCE} AS ({writer.source(plan.source, plan.tree)}) " if plan.source else ""
    total = f"(SELECT count(*) FROM ({writer.count(plan.tree)}) counted)" if wants_total else "NULL"
    if isinstance(plan.source, Write) and request.prefer.get("return") != "representation":
        rows, body = f"SELECT FROM {SOURCE}", "''"
    else:
        rows = writer.read(plan.tree)
        body = "''" if request.method == "HEAD" else _body(plan.source, request)
    text = (
        f"{prefix}SELECT {total}, count(*), {body}, "
        "nullif(current_setting('response.headers', true), ''), "
        "nullif(current_setting('response.status', true), ''), "
        f"{INSERTED} FROM ({rows}) {_ANSWER}"
    )
    return Statement(text, tuple(writer.values))


def _body(source: Write | Call | None, request: Request) -> str:
    row, single = _ANSWER, request.media.single
    if isinstance(source, Call):
        single = single or not source.function.returns_set
        if source.function.result != "row":
            row = f"{_ANSWER}.pgrst_scalar"
    rows = f"json_agg({row})"
    if single:
        rows += "->0"
    if request.media.nulls_stripped:
        rows = f"json_strip_nulls({rows})"
    return f"coalesce(({rows})::text, '{'null' if single else '[]'}')"
