"""Writes what changes rows or calls functions, from a payload of JSON.

Types and defaults stand in the text as PostgreSQL's catalogs spell them; all else is quoted names
and parameters.
"""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from collections.abc import Sequence

from vintner_local.rest.plan import Call, Plan, Write
from vintner_local.rest.request import Payload
from vintner_local.rest.schema import Column
from vintner_local.rest.select_sql import SelectWriter, ident, listed

BODY = "pgrst_body"
INSERTED = "coalesce(nullif(current_setting('pgrst.inserted', true), ''), '0')::int"
"""How many rows an upsert has inserted so far, as a setting of the transaction."""


class SourceWriter(SelectWriter):
    """Adds to selects the statements whose rows they read; these are written after them."""

    def call(self, plan: Plan, call: Call) -> str:
        """The select of what a function returns."""
        payload = plan.request.payload
        assert payload is not None
        rows = f"{self._payload(payload, call.given)}, LATERAL " if call.given else ""
        arguments = ", ".join(f"{ident(p.name)} := {ident(BODY, p.name)}" for p in call.given)
        called = f"{ident(*call.function.name)}({arguments})"
        if call.function.result != "row":
            return f"SELECT pgrst_scalar FROM {rows}(SELECT {called} pgrst_scalar) pgrst_call"
        # what is no column of a table may still be a function of its rows
        known = plan.tree.table.columns if plan.tree.table else plan.tree.named
        computed = sorted(plan.tree.named.difference(known, "*"))
        items = ["pgrst_call.*", *(ident("pgrst_call", name) for name in computed)]
        return f"SELECT {', '.join(items)} FROM {rows}{called} pgrst_call"

    def write(self, plan: Plan, write: Write) -> str:
        """The statement that changes rows, returning what the select names."""
        request, named = plan.request, plan.tree.named
        if named and "*" not in named:
            named = named.union(write.table.key)
        names = ("*",) if "*" in named else sorted(named)
        returning = ", ".join(self._column(plan.tree, name) for name in names) or "1"
        table, columns = ident(*write.table.name), write.columns
        if request.payload is None:
            text = f"DELETE FROM {table}{self.where(plan.tree, write.where)}"
        elif request.method == "POST":
            text = f"INSERT INTO {table} {self._inserted(write, request.payload)}"
        elif columns:
            sets = ", ".join(f"{ident(c.name)} = {ident(BODY, c.name)}" for c in columns)
            body = self._payload(request.payload, columns, " LIMIT 1")
            text = f"UPDATE {table} SET {sets} FROM {body}{self.where(plan.tree, write.where)}"
        else:
            return f"SELECT {returning} FROM {table} WHERE false"
        return f"{text} RETURNING {returning}"

    def _inserted(self, write: Write, payload: Payload) -> str:
        columns = write.columns
        names = f"({listed(c.name for c in columns)}) " if columns else ""
        values = ", ".join(ident(BODY, c.name) for c in columns)
        text = f"{names}SELECT {values} FROM {self._payload(payload, columns)}"
        if not write.conflict:
            return text
        text += (
            f" WHERE set_config('pgrst.inserted', ({INSERTED} + 1)::text, true) <> '0'"
            f" ON CONFLICT ({listed(write.conflict)}) DO "
        )
        if not write.merges or not columns:
            return f"{text}NOTHING"
        sets = ", ".join(f"{ident(c.name)} = EXCLUDED.{ident(c.name)}" for c in columns)
        return (
            f"{text}UPDATE SET {sets} "
            f"WHERE set_config('pgrst.inserted', ({INSERTED} - 1)::text, true) <> '-1'"
        )

    def _payload(self, payload: Payload, columns: Sequence[Column], limit: str = "") -> str:
        """A FROM item with the payload's objects as rows of the given columns."""
        if not columns and payload.is_object:
            return f"(SELECT) {BODY}"
        form = "jsonb" if payload.fills_defaults else "json"
        body = f"{self.param(payload.json)}::{form}"
        if payload.fills_defaults:
            pairs = (f"{self.param(c.name)}::text, {c.default}" for c in columns if c.default)
            missing = f"jsonb_build_object({', '.join(pairs)}) || "
            if payload.is_object:
                body = missing + body
            else:
                body = f"(SELECT jsonb_agg({missing}e) FROM jsonb_array_elements({body}) e)"
        if not columns:
            return f"(SELECT FROM {form}_array_elements({body})) {BODY}"
        typed = ", ".join(f"{ident(c.name)} {c.type}" for c in columns)
        many = "" if payload.is_object else "set"
        rows = f"{form}_to_record{many}({body}) AS _({typed}){limit}"
        return f"(SELECT {listed(c.name for c in columns)} FROM {rows}) {BODY}"
