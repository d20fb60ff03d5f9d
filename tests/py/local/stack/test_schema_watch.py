"""REST follows DDL without being told, as on a hosted project."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import psycopg

from .small_project import Project, eventually


def ask(project: Project, path: str, method: str = "GET") -> tuple[int, object]:
    request = urllib.request.Request(  # noqa: S310 - a URL of our own
        f"{project.state.api_url}/rest/v1{path}",
        method=method,
        headers={"apikey": project.state.keys.secret},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_rest_knows_at_once_what_sql_changes(project: Project) -> None:
    define = "create or replace function public.tick() returns bigint language sql"
    project.command(
        "sql",
        "create table public.ticks (id bigint generated always as identity);"
        "grant all on public.ticks to service_role;"
        f"{define} stable as $$ select count(*) from public.ticks $$;",
    )
    assert eventually(lambda: ask(project, "/ticks") == (200, []))
    assert ask(project, "/rpc/tick", "POST") == (200, 0)

    project.command(
        "sql", f"{define} volatile as $$ insert into public.ticks default values returning id $$"
    )

    assert eventually(lambda: ask(project, "/rpc/tick", "POST") == (200, 1))
    project.command("sql", "alter table public.ticks add column note text default 'x'")
    assert eventually(lambda: ask(project, "/ticks") == (200, [{"id": 1, "note": "x"}]))
    project.command("sql", "drop function public.tick(); drop table public.ticks")
    assert eventually(lambda: ask(project, "/ticks")[0] == 404)
    assert eventually(lambda: ask(project, "/rpc/tick", "POST")[0] == 404)


def test_temporary_tables_are_not_told(project: Project) -> None:
    with psycopg.connect(project.state.db_url("postgres"), autocommit=True) as connection:
        connection.execute("listen pgrst")
        connection.execute("create temporary table passing (id int)")
        connection.execute("drop table passing")
        assert list(connection.notifies(timeout=0.3)) == []
        connection.execute("create table public.staying (id int)")
        connection.execute("drop table public.staying")
        told = [notice.payload for notice in connection.notifies(timeout=5, stop_after=2)]
        assert told == ["reload schema", "reload schema"]
