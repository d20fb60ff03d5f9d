"""Edge Functions as a part of the stack: reached by its URL and keys, logged, never left behind."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import psutil
import supabase

from .small_project import Project, eventually

GREETING = """
Deno.serve(async () => {
  const url = `${Deno.env.get("SUPABASE_URL")}/rest/v1/notes?select=id`;
  const key = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS")).default;
  const answer = await fetch(url, { headers: { apikey: key } });
  console.log("asked for the notes");
  return new Response(`notes: ${answer.status} ${Deno.env.get("SUPABASE_DB_URL")}`);
});
"""


def call(project: Project, name: str) -> tuple[int, str]:
    request = urllib.request.Request(  # noqa: S310 - a URL of our own
        f"{project.state.api_url}/functions/v1/{name}",
        headers={"Authorization": f"Bearer {project.state.keys.anon}"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def told_of(project: Project, part: str) -> Any:
    """What `status` says of a part."""
    return json.loads(project.command("status", "-o", "json").stdout)["parts"][part]


def deno_processes(project: Project) -> list[psutil.Process]:
    where = (project.stack.project / "supabase" / "functions").as_uri()
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"]
        and process.info["cmdline"][-1].startswith(where)
        and "deno" in process.info["cmdline"][0]
    ]


def test_a_function_uses_the_stack_and_ends_with_it(project: Project) -> None:
    project.sql("grant select on public.notes to service_role; select 1")
    greeting = project.stack.project / "supabase" / "functions" / "greeting" / "index.ts"
    assert call(project, "greeting")[0] == 404
    greeting.parent.mkdir(parents=True)
    greeting.write_text(GREETING)

    assert told_of(project, "functions/greeting")["state"] == "idle"
    status, text = call(project, "greeting")

    assert (status, text) == (200, f"notes: 200 {project.state.db_url('postgres')}")
    client = supabase.create_client(project.state.api_url, project.state.keys.anon)
    assert client.functions.invoke("greeting", {"body": {"to": "Vera"}}) == text.encode()
    assert "asked for the notes" in project.command("logs", "functions").stdout
    url = f"{project.state.api_url}/functions/v1/greeting"
    assert told_of(project, "functions/greeting") == {"state": "running", "url": url}
    assert "functions/greeting" in project.command("status").stdout
    before = deno_processes(project)
    assert len(before) == 1
    os.kill(project.running.parts["api"].process.pid, signal.SIGKILL)
    assert eventually(lambda: not before[0].is_running())
    assert eventually(lambda: project.command("status").exit_code == 0)
    assert call(project, "greeting")[0] == 200
    assert project.command("down").exit_code == 0
    assert eventually(lambda: deno_processes(project) == [])


def test_verify_jwt_of_the_configuration_holds(project: Project) -> None:
    config = project.stack.project / "supabase" / "config.toml"
    function = project.stack.project / "supabase" / "functions" / "public" / "index.ts"
    function.parent.mkdir(parents=True, exist_ok=True)
    function.write_text('Deno.serve(() => new Response("anybody"));\n')
    url, text = f"{project.state.api_url}/functions/v1/public", config.read_text()
    config.write_text(f"{text}[functions.public]\nverify_jwt = false\n")
    try:
        assert project.up().exit_code == 0
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - a URL of our own
            assert answer.read() == b"anybody"
    finally:
        config.write_text(text)
        assert project.up().exit_code == 0
