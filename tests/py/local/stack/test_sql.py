"""The command `sql`."""

from __future__ import annotations

import json

from .small_project import Project


def test_a_table_as_psql_shows_it(project: Project) -> None:
    shown = project.command("sql", "values (1, 'a', null), (20, 'bcd', 'x')")

    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        " column1 | column2 | column3 ",
        "---------+---------+---------",
        "       1 | a       |",
        "      20 | bcd     | x",
        "(2 rows)",
    ]


def test_json_keeps_large_numbers_and_documents(project: Project) -> None:
    statement = "select 9007199254740993 as big, '{\"a\": [1]}'::jsonb as doc, 1.50 as price, true"

    shown = project.command("sql", "--json", statement)

    row = {"big": 9007199254740993, "doc": {"a": [1]}, "price": "1.50", "?column?": True}
    assert json.loads(shown.stdout) == [row]


def test_csv_quotes_what_needs_it(project: Project) -> None:
    shown = project.command("sql", "--csv", "select 'a,\"b\"' as x, null as y")

    assert shown.stdout == 'x,y\n"a,""b""",\n'


def test_several_statements_from_standard_input(project: Project) -> None:
    shown = project.command("sql", stdin="create temp table t (n int); insert into t values (1);\n")

    assert shown.stdout.splitlines() == ["CREATE TABLE", "INSERT 0 1"]


def test_an_error_is_told_and_undoes_the_rest(project: Project) -> None:
    text = "insert into public.notes values (99, 'no'); selec;"

    failed = project.command("sql", text)

    assert failed.exit_code == 1
    assert failed.stderr.startswith('vintner-local: ERROR: syntax error at or near "selec"')
    assert project.sql("select 1 as n from public.notes where id = 99") == []


def test_what_cannot_be_run_is_one_sentence(project: Project) -> None:
    for statement in ("copy (select 1) to stdout", "copy public.notes from stdin"):
        failed = project.command("sql", statement)
        assert failed.exit_code == 1
        assert failed.stderr.startswith("vintner-local: COPY from and to the client")
        assert len(failed.stderr.splitlines()) == 1
    failed = project.command("sql", "select '\udcff'")
    assert (failed.exit_code, failed.stderr) == (1, "vintner-local: the text is not UTF-8\n")
