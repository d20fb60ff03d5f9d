"""Finds the relationship that an embed in a request means."""

from __future__ import annotations

from vintner_local.rest.errors import RestError, failure, refused
from vintner_local.rest.hints import nearest
from vintner_local.rest.schema import Name, Relationship, Schema


def find_relationship(schema: Schema, origin: Name, target: str, hint: str | None) -> Relationship:
    """The one relationship that leads from a table to what an embed names.

    Args:
        schema: the schema cache.
        origin: the table embedded into.
        target: a table, a foreign key, or a column of the origin.
        hint: what follows the `!`, if anything.

    Raises:
        RestError: there is none, or more than one, or it is one of a view or a function.
    """
    tables = schema.tables[origin[0]]
    if any(name in tables and tables[name].is_view for name in (origin[1], target)):
        raise refused("Embedding of and into views")
    functions = schema.functions[origin[0]].get(target, ())
    if any(f.takes_row and f.result == "row" for f in functions):
        raise refused("A computed relationship")
    known = [r for r in schema.relationships if r.origin == origin]
    match [r for r in known if _is_meant(r, target, hint)]:
        case []:
            raise _missing(schema, origin, known, target, hint)
        case [found]:
            if hint is None and found.junction and found.junction.in_view:
                raise refused("Embedding through a junction that a view shows, without hint,")
            return found
        case several:
            choices = " or ".join(f"{target}!{r.name}" for r in several)
            raise refused(f"An embed that may mean more than one relationship ({choices})")


def _is_meant(relationship: Relationship, target: str, hint: str | None) -> bool:
    own, other = relationship.columns[0] if len(relationship.columns) == 1 else (None, None)
    is_target = target == relationship.target[1]
    if relationship.origin == relationship.target:
        if relationship.kind != "one-to-many":
            return hint is None and relationship.kind == "many-to-one" and target == own
        return is_target and hint in (None, other)
    if hint is None:
        return is_target or (not relationship.junction and target in (own, relationship.name))
    return is_target and hint in (relationship.name, own, other)


def _missing(
    schema: Schema, origin: Name, known: list[Relationship], target: str, hint: str | None
) -> RestError:
    if known:
        near, instead = nearest(target, {r.target[1] for r in known}), target
        near = None if near and near.lower() == target.lower() else near
    else:
        names = {r.origin[1] for r in schema.relationships if r.origin[0] == origin[0]}
        near, instead = nearest(origin[1], names), origin[1]
    using = f" using the hint '{hint}'" if hint else ""
    return failure(
        "PGRST200",
        origin[1],
        target,
        details=f"Searched for a foreign key relationship between '{origin[1]}' and '{target}'"
        f"{using} in the schema '{origin[0]}', but no matches were found.",
        hint=f"Perhaps you meant '{near}' instead of '{instead}'." if near else None,
    )
