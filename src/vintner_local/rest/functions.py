"""Finds the overload of a function that a request's arguments mean."""

from __future__ import annotations

from collections.abc import Iterable

from vintner_local.rest.errors import RestError, failure, refused
from vintner_local.rest.hints import LEAST_FOR_NAMES, nearest
from vintner_local.rest.schema import Function, Name, Schema


def find_function(schema: Schema, name: Name, keys: frozenset[str], has_body: bool) -> Function:
    """The overload that takes the given arguments.

    Args:
        schema: the schema cache.
        name: the function.
        keys: names of the arguments.
        has_body: whether they came as a body.

    Raises:
        RestError: none takes them, or more than one does.
    """
    overloads = schema.functions[name[0]].get(name[1], ())
    found = [f for f in overloads if _takes(f, keys)]
    unnamed = any([p.name for p in f.parameters] == [""] for f in overloads)
    if not found and not unnamed:
        raise _missing(schema, name, overloads, sorted(keys), has_body)
    if not found or found[0].variadic:
        raise refused("A function with a variadic or an unnamed parameter")
    if len(found) > 1:
        raise refused("A choice between overloads whose parameters have the same names")
    return found[0]


def _takes(function: Function, keys: frozenset[str]) -> bool:
    required = {p.name for p in function.parameters if p.required}
    return required <= keys <= {p.name for p in function.parameters}


def _missing(
    schema: Schema, name: Name, overloads: tuple[Function, ...], keys: list[str], has_body: bool
) -> RestError:
    if overloads:
        near = nearest(_listed(keys), (_listed(p.name for p in f.parameters) for f in overloads))
        near = near and name[1] + near
    else:
        near = nearest(name[1], schema.functions[name[0]], LEAST_FOR_NAMES)
    called, none = ".".join(name), " without parameters"
    given = f" with parameter{'s' * (len(keys) > 1)} {', '.join(keys)}" if keys else none
    or_body = " or with a single unnamed json/jsonb parameter" if has_body else ""
    return failure(
        "PGRST202",
        called + (_listed(keys) if keys else none),
        details=f"Searched for the function {called}{given}{or_body}, "
        "but no matches were found in the schema cache.",
        hint=f"Perhaps you meant to call the function {name[0]}.{near}" if near else None,
    )


def _listed(names: Iterable[str]) -> str:
    return f"({', '.join(sorted(names))})"
