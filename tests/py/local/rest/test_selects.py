"""Random selects, held against SQL written by hand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api, ContractDatabase

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
LABELS = ["c1", "c2", "a,b", 'say "hi"', "(x)", ""]

number_filters = st.tuples(
    st.sampled_from(["id", "qty"]), st.sampled_from(sorted(COMPARISONS)), st.integers(-1, 9)
)
label_filters = st.tuples(
    st.just("label"), st.sampled_from(["eq", "neq", "gte"]), st.sampled_from(LABELS)
)
comparisons = st.tuples(st.booleans(), st.one_of(number_filters, label_filters))
groups = st.tuples(
    st.booleans(), st.sampled_from(["and", "or"]), st.lists(comparisons, min_size=1, max_size=3)
)
orders = st.lists(
    st.tuples(st.sampled_from(["qty", "label"]), st.sampled_from(["asc", "desc"])),
    max_size=2,
    unique_by=lambda term: term[0],
)


def _text(value: Any) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _url_group(group: tuple[bool, str, list[Any]]) -> tuple[str, str]:
    negated, word, members = group
    listed = ",".join(
        f"{column}.{'not.' if inverse else ''}{operator}.{_text(value)}"
        for inverse, (column, operator, value) in members
    )
    return ("not." if negated else "") + word, f"({listed})"


def _sql_group(group: tuple[bool, str, list[Any]]) -> tuple[str, list[Any]]:
    negated, word, members = group
    terms, values = [], []
    for inverse, (column, operator, value) in members:
        terms.append(f"{'not ' if inverse else ''}c.{column} {COMPARISONS[operator]} %s")
        values.append(value)
    return f"{'not ' if negated else ''}({f' {word} '.join(terms)})", values


@pytest.fixture(scope="module")
def children(contract_database: ContractDatabase) -> ContractDatabase:
    contract_database.run(
        "select reseed()",
        """insert into children(parent_id, qty, label)
           select p.id, n, l
           from parents p, generate_series(1, 4) n,
             unnest(array['c3', 'a,b', 'say "hi"', '(x)', '', null]) l
           where (n + length(coalesce(l, ''))) % 3 = 0 on conflict do nothing""",
    )
    return contract_database


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    conditions=st.lists(groups, max_size=2),
    order=orders,
    limit=st.one_of(st.none(), st.integers(0, 8)),
    offset=st.integers(0, 5),
    parent=st.sampled_from([None, "alpha", "beta"]),
)
async def test_filters_order_range_and_embedding(
    conditions: list[Any],
    order: list[tuple[str, str]],
    limit: int | None,
    offset: int,
    parent: str | None,
    api: Api,
    children: ContractDatabase,
) -> None:
    terms = [*order, ("id", "asc")]
    query = [
        ("select", f"id,q:qty,label,parents{'!inner' if parent else ''}(name)"),
        ("order", ",".join(f"{column}.{direction}" for column, direction in terms)),
        ("offset", str(offset)),
        *(_url_group(group) for group in conditions),
    ]
    if limit is not None:
        query.append(("limit", str(limit)))
    if parent:
        query.append(("parents.name", f"eq.{parent}"))
    tests = [_sql_group(group) for group in conditions]
    where = " and ".join(test for test, _ in tests) or "true"
    values = [value for _, group in tests for value in group]
    expected = children.rows(
        f"""select c.id, c.qty, c.label, p.name from children c join parents p on p.id = parent_id
            where {where} and (%s::text is null or p.name = %s::text)
            order by {", ".join(f"c.{column} {direction}" for column, direction in terms)}
            limit %s offset %s""",
        *values,
        parent,
        parent,
        limit,
        offset,
    )
    answer = await api.ask("GET", f"/children?{urlencode(query)}")
    assert answer.status == 200, answer
    assert json.loads(answer.body) == [
        {"id": id_, "q": qty, "label": label, "parents": {"name": name}}
        for id_, qty, label, name in expected
    ]
