"""Migrations run as a `postgres` that may do what a hosted project's may, and no more."""

from __future__ import annotations

import psycopg
import pytest

from .small_project import Project

REFUSED = (
    "create extension file_fdw",
    "create extension plperlu",
    "copy (select 1) to program 'true'",
    "copy public.notes from program 'true'",
    "copy (select 1) to '/nowhere'",
    "copy public.notes from '/nowhere'",
    "select pg_read_file('postgresql.conf')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/passwd')",
    "alter system set work_mem = '1GB'",
    "create role boss superuser",
    "alter role postgres superuser",
    "alter role supabase_admin password 'x'",
    "drop role supabase_admin",
    "set role supabase_admin",
    "set session authorization supabase_admin",
    "grant pg_execute_server_program to postgres",
    "grant pg_write_server_files to postgres",
    "create function public.native() returns int language c as 'x', 'y'",
    "create function public.inner() returns int language internal as 'pg_backend_pid'",
    "create language untrusted handler plpgsql_call_handler",
    "create tablespace elsewhere location '/nowhere'",
    "alter event trigger pgrst_ddl_watch disable",
    "drop event trigger pgrst_drop_watch",
    "set zero_damaged_pages = on",
    "set log_parser_stats = on",
    "update pg_class set relname = 'x' where relname = 'notes'",
    "alter table auth.users add column mine text",
    "drop schema auth cascade",
)
ALLOWED = (
    "create role helper nologin; drop role helper",
    "create role replica login replication; drop role replica",
    "create role passer nologin bypassrls; drop role passer",
    "create extension if not exists vector schema extensions",
    "create extension citext schema extensions; drop extension citext",
    "set session_replication_role = replica; reset session_replication_role",
    "alter publication supabase_realtime add table public.notes; "
    "alter publication supabase_realtime drop table public.notes",
    "create publication mine for table public.notes; drop publication mine",
    "create schema mine; drop schema mine",
    "set role authenticated; reset role",
    "alter database postgres set work_mem = '8MB'; alter database postgres reset work_mem",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_what_only_a_superuser_may_is_refused(project: Project, statement: str) -> None:
    with (
        psycopg.connect(project.state.db_url("postgres"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_a_hosted_postgres_may_is_allowed(project: Project, statement: str) -> None:
    with psycopg.connect(project.state.db_url("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
