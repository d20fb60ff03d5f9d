"""Resolves a request against the schema cache into a tree that SQL can be written from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from vintner_local.rest.errors import RestError, refused
from vintner_local.rest.functions import find_function
from vintner_local.rest.hints import LEAST_FOR_NAMES, nearest
from vintner_local.rest.relationships import find_relationship
from vintner_local.rest.request import READS, Payload, Query, Request
from vintner_local.rest.schema import Function, Name, Parameter, Relationship, Schema, Table
from vintner_local.rest.syntax import (
    Column,
    Condition,
    Embed,
    EmbedIsNull,
    EmbedPath,
    Field,
    Filter,
    Item,
    Logic,
    OrderTerm,
    Range,
)

SOURCE = "pgrst_source"
"""The name of the CTE that holds what a write or a function call returned."""


@dataclass(slots=True)
class ReadNode:
    """One level of a select: its own rows and the embeds below them.

    Attributes:
        name: the key the level's rows stand under, which paths and orders use too.
        requested: what the request calls the rows.
        relation: what relationships are looked up by.
        source: identifier that the rows come from.
        alias: what the source is called, if not by its own name.
        table: for the types of columns; None if the rows are of no known table.
        parent: what column names of the level above are prefixed with.
        joined: what the level's subquery is called in its parent.
        tested: whether a condition of its parent asks if it is null.
    """

    name: str
    requested: str
    relation: Name
    source: tuple[str, ...]
    alias: str | None
    table: Table | None
    parent: tuple[str, ...] = ()
    relationship: Relationship | None = None
    joined: str = ""
    inner: bool = False
    spread: bool = False
    tested: bool = False
    columns: list[Column] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)
    order: list[OrderTerm] = field(default_factory=list)
    range: Range = field(default_factory=Range)
    children: list[ReadNode] = field(default_factory=list)

    @property
    def qualifier(self) -> tuple[str, ...]:
        """What column names of this level are prefixed with."""
        return (self.alias,) if self.alias else self.source

    @property
    def selects_nothing(self) -> bool:
        return not self.columns and all(child.selects_nothing for child in self.children)


@dataclass(frozen=True, slots=True)
class Write:
    """An insert, update, upsert or delete.

    Attributes:
        columns: the columns that the payload sets.
        fills_defaults: whether keys that a payload's object lacks take the column's default.
        conflict: columns of the unique key that an upsert goes by; empty for none.
        merges: whether a conflicting row is updated rather than left alone.
        where: which rows are written.
        returning: columns that the statement hands to the select; empty for none.
    """

    method: str
    table: Table
    payload: Payload | None
    columns: tuple[str, ...]
    fills_defaults: bool
    conflict: tuple[str, ...]
    merges: bool
    where: tuple[Condition, ...]
    returning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call.

    Attributes:
        given: the parameters that are passed; the others take their defaults.
        extra: fields that are no columns of the result, but functions of its row type.
    """

    function: Function
    payload: Payload
    given: tuple[Parameter, ...]
    extra: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A select on a table, or on what a write or a function call returns."""

    tree: ReadNode
    source: Write | Call | None = None


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
        raise RestError(
            404,
            "PGRST205",
            f"Could not find the table '{'.'.join(request.name)}' in the schema cache",
            hint=f"Perhaps you meant the table '{request.name[0]}.{near}'" if near else None,
        )
    if request.method in READS:
        root = ReadNode(table.name[1], table.name[1], table.name, table.name, None, table)
        return Plan(_read_tree(request.query, schema, root, max_rows))
    return _write(request, schema, table, safe_update)


def _write(request: Request, schema: Schema, table: Table, safe_update: bool) -> Plan:
    method, query, prefer, payload = request.method, request.query, request.prefer, request.payload
    root = ReadNode(table.name[1], table.name[1], table.name, (SOURCE,), table.name[1], table)
    tree = _read_tree(query, schema, root, None)
    columns = tuple(sorted(payload.keys)) if payload else ()
    for column in columns:
        if column not in table.columns:
            raise RestError(
                400,
                "PGRST204",
                f"Could not find the '{column}' column of '{table.name[1]}' in the schema cache",
            )
    where = tuple(condition for path, condition in query.conditions if not path)
    conflict: tuple[str, ...] = ()
    if method == "POST":
        where = ()
        if "resolution" in prefer:
            conflict = table.key if query.on_conflict is None else query.on_conflict
            if not conflict and table.is_view:
                raise refused("An upsert into a view without on_conflict")
    elif safe_update and not where and (columns or method == "DELETE"):
        verb = "UPDATE" if method == "PATCH" else "DELETE"
        raise RestError(400, "21000", f"{verb} requires a WHERE clause")
    write = Write(
        method,
        table,
        payload,
        columns,
        prefer.get("missing") == "default",
        conflict,
        prefer.get("resolution") == "merge-duplicates",
        where,
        _returning(tree, table) if prefer.get("return") == "representation" else (),
    )
    return Plan(tree, write)


def _returning(tree: ReadNode, table: Table) -> tuple[str, ...]:
    names = {column.field.name for column in tree.columns}
    if "*" in names:
        return ("*",)
    for relationship in (child.relationship for child in tree.children if child.relationship):
        junction = relationship.junction
        names.update(own for own, _ in (junction.origin if junction else relationship.columns))
    return tuple(sorted(names | set(table.key)))


def _call(request: Request, schema: Schema, max_rows: int) -> Plan:
    payload, arguments = request.payload, request.query.arguments
    keys = payload.keys if payload else frozenset(arguments)
    function, by_body = find_function(schema, request.name, keys, payload is not None)
    given = tuple(p for p in function.parameters if by_body or p.name in keys)
    if payload is None:
        payload = Payload(json.dumps(arguments), keys)
    elif given and not by_body and not payload.is_object:
        raise refused("A function call with a list of argument objects")
    if request.max_affected is not None and not function.returns_set:
        raise RestError(
            400,
            "PGRST128",
            "Function must return SETOF or TABLE when max-affected preference is used "
            "with handling=strict",
        )
    table = schema.table(function.table)
    alias = (function.table or function.name)[1]
    root = ReadNode(alias, alias, (request.name[0], alias), (SOURCE,), alias, table)
    tree = _read_tree(request.query, schema, root, max_rows)
    names = dict.fromkeys(found.name for found in _fields(tree)) if table else {}
    extra = tuple(name for name in names if table and name not in ("*", *table.columns))
    return Plan(tree, Call(function, payload, given, extra))


def _fields(node: ReadNode) -> Iterator[Field]:
    yield from (column.field for column in node.columns)
    yield from (term.field for term in node.order if term.relation is None)
    conditions = list(node.where)
    while conditions:
        match conditions.pop():
            case Filter(field=found):
                yield found
            case Logic(terms=terms):
                conditions += terms


def _read_tree(query: Query, schema: Schema, root: ReadNode, max_rows: int | None) -> ReadNode:
    """The select's tree; without `max_rows` it is one on what a write returned."""
    writes = max_rows is None
    _add_items(schema, root, query.select, 1)
    for path, condition in query.conditions:
        if path or not writes:
            node = _at(root, path)
            node.where.append(_resolve_embeds(node, condition))
    for path, terms in query.order if not writes else ():
        node = _at(root, path)
        node.order = node.order or [_resolve_order(node, term) for term in terms]
    for path, rows in query.ranges.items() if not writes else ():
        _at(root, path).range = rows
    if max_rows is not None:
        _limit(root, max_rows)
    return root


def _add_items(schema: Schema, node: ReadNode, items: tuple[Item, ...], depth: int) -> None:
    for item in items:
        if isinstance(item, Column):
            node.columns.append(item)
        else:
            child = _embed(schema, node, item, depth)
            _add_items(schema, child, item.items, depth + 1)
            node.children.append(child)


def _embed(schema: Schema, parent: ReadNode, item: Embed, depth: int) -> ReadNode:
    relationship = find_relationship(schema, parent.relation, item.name, item.hint)
    if item.spread and not relationship.to_one:
        raise refused("Spreading a to-many relationship")
    name, target = item.alias or item.name, relationship.target
    return ReadNode(
        name,
        item.name,
        target,
        target,
        None if relationship.junction else f"{target[1]}_{depth}",
        schema.table(target),
        parent.qualifier,
        relationship,
        f"{relationship.origin[1]}_{name}_{depth}",
        item.inner,
        item.spread,
    )


def _at(node: ReadNode, path: EmbedPath) -> ReadNode:
    for name in path:
        node = _child(node, name, by_relation=True)
    return node


def _child(node: ReadNode, name: str, *, by_relation: bool = False) -> ReadNode:
    for child in node.children:
        if name == child.name or (by_relation and name == child.requested):
            return child
    raise RestError(
        400,
        "PGRST108",
        f"'{name}' is not an embedded resource in this request",
        hint=f"Verify that '{name}' is included in the 'select' query parameter.",
    )


def _resolve_embeds(node: ReadNode, condition: Condition) -> Condition:
    if isinstance(condition, Logic):
        terms = tuple(_resolve_embeds(node, term) for term in condition.terms)
        return replace(condition, terms=terms)
    if isinstance(condition, EmbedIsNull) or condition.field.path:
        return condition
    child = next((c for c in node.children if c.name == condition.field.name), None)
    if child is None:
        return condition
    if condition.operator != "is" or condition.value != "null":
        raise RestError(
            400,
            "PGRST120",
            f"Bad operator on the '{child.requested}' embedded resource",
            "Only is null or not is null filters are allowed on embedded resources",
        )
    child.tested = True
    return EmbedIsNull(child.joined, condition.negated)


def _resolve_order(node: ReadNode, term: OrderTerm) -> OrderTerm:
    if term.relation is None:
        return term
    child = _child(node, term.relation)
    if child.relationship and not child.relationship.to_one:
        raise RestError(
            400,
            "PGRST118",
            f"A related order on '{child.name}' is not possible",
            f"'{node.requested}' and '{child.name}' do not form a many-to-one "
            "or one-to-one relationship",
        )
    return replace(term, relation=child.joined)


def _limit(node: ReadNode, most: int) -> None:
    node.range = node.range.at_most(most)
    for child in node.children:
        _limit(child, most)
