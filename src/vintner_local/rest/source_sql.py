"""Writes what changes rows or calls functions, from a payload of JSON.

Types and defaults stand in the text as PostgreSQL's catalogs spell them; all else is quoted names
and parameters.
"""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from vintner_local.rest.plan import Call, ReadNode, Write
from vintner_local.rest.request import Payload
from vintner_local.rest.schema import TableColumn
from vintner_local.rest.select_sql import SelectWriter, column_of, ident, where_all

BODY = "pgrst_body"
INSERTED = "coalesce(nullif(current_setting('pgrst.inserted', true), ''), '0')::int"
"""How many rows an upsert has inserted so far, as a setting of the transaction."""


class SourceWriter(SelectWriter):
    """Adds to selects the statements whose rows they may read."""

    def source(self, source: Write | Call, tree: ReadNode) -> str:
        """The statement whose rows a select reads."""
        return self._call(source) if isinstance(source, Call) else self._write(source, tree)

    def _call(self, call: Call) -> str:
        rows, arguments = "", ""
        if call.given and not call.given[0].name:
            arguments = f"{self.param(call.payload.json)}::{call.given[0].type}"
        elif call.given:
            columns = [TableColumn(p.name, p.type) for p in call.given]
            rows = f"{self._payload(call.payload, columns)}, LATERAL "
            arguments = ", ".join(f"{ident(p.name)} := {ident(BODY, p.name)}" for p in call.given)
        called = f"{ident(*call.function.name)}({arguments})"
        if call.function.result == "row":
            items = ["pgrst_call.*", *(ident("pgrst_call", name) for name in call.extra)]
            return f"SELECT {', '.join(items)} FROM {rows}{called} pgrst_call"
        return f"SELECT pgrst_scalar FROM {rows}(SELECT {called} pgrst_scalar) pgrst_call"

    def _write(self, write: Write, tree: ReadNode) -> str:
        name = write.table.name
        table, returning = ident(*name), [column_of(name, column) for column in write.returning]
        columns = [write.table.columns[column] for column in write.columns]
        where = where_all([self._condition(tree, c, name) for c in write.where])
        if write.payload is None:
            text = f"DELETE FROM {table}{where}"
        elif write.method == "POST":
            text = f"INSERT INTO {table} {self._inserted(write, write.payload, columns)}"
        elif columns:
            sets = ", ".join(f"{ident(c)} = {ident(BODY, c)}" for c in write.columns)
            body = self._payload(write.payload, columns, write.fills_defaults, first_only=True)
            text = f"UPDATE {table} SET {sets} FROM {body}{where}"
        else:
            return f"SELECT {', '.join(returning) or '1'} FROM {table} WHERE false"
        return f"{text} RETURNING {', '.join(returning) or '1'}"

    def _inserted(self, write: Write, payload: Payload, columns: list[TableColumn]) -> str:
        if not columns and payload.is_object and not write.conflict:
            return "DEFAULT VALUES"
        names = ", ".join(ident(name) for name in write.columns)
        values = ", ".join(ident(BODY, name) for name in write.columns)
        body = self._payload(payload, columns, write.fills_defaults)
        text = f"{f'({names}) ' if names else ''}SELECT {values} FROM {body}"
        if not write.conflict:
            return text
        text += (
            f" WHERE set_config('pgrst.inserted', ({INSERTED} + 1)::text, true) <> '0'"
            f" ON CONFLICT ({', '.join(ident(c) for c in write.conflict)}) DO "
        )
        if not write.merges or not columns:
            return text + "NOTHING"
        sets = ", ".join(f"{ident(c)} = EXCLUDED.{ident(c)}" for c in write.columns)
        return (
            f"{text}UPDATE SET {sets} "
            f"WHERE set_config('pgrst.inserted', ({INSERTED} - 1)::text, true) <> '-1'"
        )

    def _payload(
        self,
        payload: Payload,
        columns: list[TableColumn],
        fills_defaults: bool = False,
        first_only: bool = False,
    ) -> str:
        """A FROM item with the payload's objects as rows of the given columns."""
        form = "jsonb" if fills_defaults else "json"
        body = f"{self.param(payload.json)}::{form}"
        if fills_defaults:
            pairs = ", ".join(
                f"{self.param(c.name)}::text, {c.default}" for c in columns if c.default
            )
            missing = f"jsonb_build_object({pairs}) || "
            if payload.is_object:
                body = f"{missing}{body}"
            else:
                body = f"(SELECT jsonb_agg({missing}e) FROM jsonb_array_elements({body}) e)"
        if not columns:
            rows = "(VALUES (1)) _" if payload.is_object else f"{form}_array_elements({body}) _"
            return f"(SELECT FROM {rows}) {BODY}"
        names = ", ".join(ident(c.name) for c in columns)
        typed = ", ".join(f"{ident(c.name)} {c.type}" for c in columns)
        many = "" if payload.is_object else "set"
        limit = " LIMIT 1" if first_only else ""
        return f"(SELECT {names} FROM {form}_to_record{many}({body}) AS _({typed}){limit}) {BODY}"
