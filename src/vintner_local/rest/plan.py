"""Resolves a request against the schema cache into a tree that SQL can be written from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vintner_local.rest import syntax
from vintner_local.rest.errors import failure, refused
from vintner_local.rest.functions import find_function
from vintner_local.rest.hints import LEAST_FOR_NAMES, nearest
from vintner_local.rest.relationships import find_relationship
from vintner_local.rest.request import READS, Request
from vintner_local.rest.schema import Column, Function, Name, Relationship, Schema, Table

SOURCE = "pgrst_source"
"""The name of the CTE that holds what a write or a function call returned."""


@dataclass(slots=True, kw_only=True)
class Level:
    """One level of a select: its own rows and the embeds below them.

    Attributes:
        relation: what relationships are looked up by.
        source: identifier that the rows come from.
        alias: what the source is called in the level's own select.
        table: for the types of columns; None if the rows are of no known table.
        named: the source's columns that the select turned out to name when it was written.
    """

    relation: Name
    source: tuple[str, ...]
    alias: str
    table: Table | None
    columns: list[syntax.Column] = field(default_factory=list)
    where: list[syntax.Condition] = field(default_factory=list)
    order: list[syntax.OrderTerm] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    embeds: list[EmbedLevel] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    @property
    def selects_nothing(self) -> bool:
        return not self.columns and all(embed.selects_nothing for embed in self.embeds)


@dataclass(slots=True, kw_only=True)
class EmbedLevel(Level):
    """A level below another one.

    Attributes:
        item: what the request says of it.
        name: the key its rows stand under, which paths and orders use too.
        joined: what its subquery is called in the level above.
    """

    parent: Level
    item: syntax.Embed
    name: str
    relationship: Relationship
    joined: str


@dataclass(frozen=True, slots=True)
class Write:
    """An insert, update, upsert or delete.

    Attributes:
        columns: the columns that the payload sets.
        conflict: columns of the unique key that an upsert goes by; empty for none.
        merges: whether a conflicting row is updated rather than left alone.
        where: which rows are written.
    """

    table: Table
    columns: tuple[Column, ...]
    conflict: tuple[str, ...]
    merges: bool
    where: tuple[syntax.Condition, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; parameters that are not given take their defaults."""

    function: Function
    given: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A select on a table, or on what a write or a function call returns."""

    request: Request
    tree: Level
    source: Write | Call | None = None

    @property
    def is_read_only(self) -> bool:
        stable = isinstance(self.source, Call) and not self.source.function.volatile
        return stable or self.request.method in READS


def make_plan(request: Request, schema: Schema, max_rows: int, safe_update: bool) -> Plan:
    """Plans a request.

    Args:
        request: the request.
        schema: the schema cache.
        max_rows: the most rows each level of an answer holds.
        safe_update: whether updates and deletes of whole tables are refused.

    Raises:
        RestError: a name is unknown or ambiguous, or the request contradicts itself.
    """
    if request.is_call:
        return _call(request, schema, max_rows)
    table = schema.table(request.name)
    if table is None:
        near = nearest(request.name[1], schema.tables[request.name[0]], LEAST_FOR_NAMES)
        hint = f"Perhaps you meant the table '{request.name[0]}.{near}'" if near else None
        raise failure("PGRST205", ".".join(request.name), hint=hint)
    if request.method in READS:
        root = Level(relation=table.name, source=table.name, alias=table.name[1], table=table)
        _grow(root, request, schema, max_rows)
        return Plan(request, root)
    return _write(request, schema, table, safe_update)


def _write(request: Request, schema: Schema, table: Table, safe_update: bool) -> Plan:
    root = Level(relation=table.name, source=(SOURCE,), alias=table.name[1], table=table)
    _grow(root, request, schema, None)
    keys = sorted(request.payload.keys) if request.payload else []
    for key in keys:
        if key not in table.columns:
            raise failure("PGRST204", key, table.name[1])
    where, root.where = tuple(root.where), []
    conflict: tuple[str, ...] = ()
    if request.method == "POST":
        if "resolution" in request.prefer:
            conflict = request.query.names.get("on_conflict", table.key)
            if not conflict and table.is_view:
                raise refused("An upsert into a view without on_conflict")
    elif safe_update and not where and (keys or request.method == "DELETE"):
        raise failure("21000", "UPDATE" if request.method == "PATCH" else "DELETE")
    columns = tuple(table.columns[key] for key in keys)
    merges = request.prefer.get("resolution") == "merge-duplicates"
    return Plan(request, root, Write(table, columns, conflict, merges, where))


def _call(request: Request, schema: Schema, max_rows: int) -> Plan:
    payload, has_body = request.payload, request.method not in READS
    assert payload is not None
    function = find_function(schema, request.name, payload.keys, has_body)
    given = tuple(p for p in function.parameters if p.name in payload.keys)
    if given and not payload.is_object:
        raise refused("A function call with a list of argument objects")
    if request.max_affected is not None and not function.returns_set:
        raise refused("The preference max-affected for a function that returns no set")
    alias = (function.table or function.name)[1]
    relation, table = (request.name[0], alias), schema.table(function.table)
    root = Level(relation=relation, source=(SOURCE,), alias=alias, table=table)
    _grow(root, request, schema, max_rows)
    return Plan(request, root, Call(function, given))


def _grow(root: Level, request: Request, schema: Schema, max_rows: int | None) -> None:
    """Hangs the select on its root; without `max_rows` it is on what a write returned."""
    query = request.query
    _add_items(schema, root, query.select, 1)
    for path, condition in query.conditions:
        level = _at(root, path)
        is_of_write = max_rows is None and not path
        level.where.append(condition if is_of_write else _resolved(level, condition))
    if max_rows is None:
        return
    for path, terms in query.order:
        level = _at(root, path)
        level.order = level.order or [_resolved_term(level, term) for term in terms]
    for path, rows in query.ranges.items():
        level = _at(root, path)
        level.limit, level.offset = rows.get("limit"), rows.get("offset", 0)
    _limit(root, max_rows)


def _add_items(schema: Schema, level: Level, items: tuple[syntax.Item, ...], depth: int) -> None:
    for item in items:
        if isinstance(item, syntax.Column):
            level.columns.append(item)
        else:
            embed = _embed(schema, level, item, depth)
            _add_items(schema, embed, item.items, depth + 1)
            level.embeds.append(embed)


def _embed(schema: Schema, parent: Level, item: syntax.Embed, depth: int) -> EmbedLevel:
    relationship = find_relationship(schema, parent.relation, item.name, item.hint)
    if item.spread and not relationship.to_one:
        raise refused("Spreading a to-many relationship")
    name, target = item.alias or item.name, relationship.target
    return EmbedLevel(
        relation=target,
        source=target,
        alias=target[1] if relationship.junction else f"{target[1]}_{depth}",
        table=schema.table(target),
        parent=parent,
        item=item,
        name=name,
        relationship=relationship,
        joined=f"{relationship.origin[1]}_{name}_{depth}",
    )


def _at(level: Level, path: syntax.EmbedPath) -> Level:
    for name in path:
        level = _embed_of(level, name, by_relation=True)
    return level


def _embed_of(level: Level, name: str, *, by_relation: bool = False) -> EmbedLevel:
    for embed in level.embeds:
        if name == embed.name or (by_relation and name == embed.item.name):
            return embed
    hint = f"Verify that '{name}' is included in the 'select' query parameter."
    raise failure("PGRST108", name, hint=hint)


def _resolved(level: Level, condition: syntax.Condition) -> syntax.Condition:
    """The condition, where one on the name of an embed asks whether that found anything."""
    if isinstance(condition, syntax.Logic):
        return replace(condition, terms=tuple(_resolved(level, term) for term in condition.terms))
    embed = next(
        (embed for embed in level.embeds if condition.field == syntax.Field(embed.name)), None
    )
    if embed is None:
        return condition
    if (condition.operator, condition.value) != ("is", "null"):
        details = "Only is null or not is null filters are allowed on embedded resources"
        raise failure("PGRST120", embed.item.name, details=details)
    return replace(condition, operator="embeds", value=embed.joined)


def _resolved_term(level: Level, term: syntax.OrderTerm) -> syntax.OrderTerm:
    if term.relation is None:
        return term
    embed = _embed_of(level, term.relation)
    if not embed.relationship.to_one:
        raise refused("An order by a to-many embed")
    return replace(term, relation=embed.joined)


def _limit(level: Level, most: int) -> None:
    level.limit = most if level.limit is None else min(level.limit, most)
    for embed in level.embeds:
        _limit(embed, most)
