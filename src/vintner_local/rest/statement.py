"""Writes a plan as one SQL statement whose single row is the answer."""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from dataclasses import dataclass

from vintner_local.rest.plan import SOURCE, Call, Plan, Write
from vintner_local.rest.source_sql import INSERTED, SourceWriter

_ANSWER = "_postgrest_t"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$n` placeholders, and their values."""

    text: str
    values: tuple[str, ...] = ()


def answer_statement(plan: Plan) -> Statement:
    """The statement that does all a request asks for.

    Its one row holds: the total of rows if `count=exact`, the number of rows answered, the body,
    the settings `response.headers` and `response.status`, and how many rows an upsert inserted.

    Args:
        plan: the request's plan.
    """
    writer, request, source = SourceWriter(), plan.request, plan.source
    rows, body, total, prefix = f"SELECT FROM {SOURCE}", "''", "NULL", ""
    if not isinstance(source, Write) or request.prefer.get("return") == "representation":
        rows = writer.read(plan.tree)
        body = "''" if request.method == "HEAD" else _body(plan)
    if request.prefer.get("count") == "exact" and not isinstance(source, Write):
        total = f"(SELECT count(*) FROM ({writer.count(plan.tree)}) counted)"
    if source:
        text = writer.call(plan, source) if isinstance(source, Call) else writer.write(plan, source)
        prefix = f"WITH {SOURCE} AS ({text}) "
    text = (
        f"{prefix}SELECT {total}, count(*), {body}, "
        "nullif(current_setting('response.headers', true), ''), "
        "nullif(current_setting('response.status', true), ''), "
        f"{INSERTED} FROM ({rows}) {_ANSWER}"
    )
    return Statement(text, tuple(writer.values))


def _body(plan: Plan) -> str:
    row, single = _ANSWER, plan.request.media.single
    if isinstance(plan.source, Call):
        single = single or not plan.source.function.returns_set
        if plan.source.function.result != "row":
            row = f"{_ANSWER}.pgrst_scalar"
    rows = f"json_agg({row}){'->0' if single else ''}"
    if plan.request.media.nulls_stripped:
        rows = f"json_strip_nulls({rows})"
    return f"coalesce(({rows})::text, '{'null' if single else '[]'}')"
