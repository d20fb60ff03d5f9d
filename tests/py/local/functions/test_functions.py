"""Edge Functions: what they are given, who may call them, and what happens when one is broken."""

from __future__ import annotations

import asyncio
import json
import time

import jwt
import pytest

from vintner_local.functions import app

from .conftest import DB_URL, Functions

pytestmark = pytest.mark.asyncio(loop_scope="session")

ECHO = """
Deno.serve(async (request) => {
  const url = new URL(request.url);
  return new Response(JSON.stringify({
    method: request.method,
    path: url.pathname + url.search,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  }), {
    status: 201,
    headers: [["x-one", "1"], ["set-cookie", "a=1"], ["content-type", "application/json"]],
  });
});
"""
HELLO = 'Deno.serve(() => new Response("hello"));\n'


async def test_a_request_and_its_answer_are_passed_on(deployed: Functions) -> None:
    deployed.write("echo/index.ts", ECHO)

    answer = await deployed.call(
        "echo/a%2Fb/c?x=1&x=%20", "PATCH", b"\0body", {"x-mine": "2", "content-type": "text/x"}
    )

    assert answer.status == 201
    assert answer.headers["x-one"] == "1"
    assert answer.headers["set-cookie"] == "a=1"
    seen = json.loads(answer.body)
    assert (seen["method"], seen["path"]) == ("PATCH", "/echo/a%2Fb/c?x=1&x=%20")
    assert seen["body"] == "\0body"
    assert seen["headers"]["x-mine"] == "2"
    assert seen["headers"]["content-type"] == "text/x"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["authorization"] == f"Bearer {deployed.keys.anon}"
    head = await deployed.call("echo", "HEAD")
    assert (head.status, head.body) == (201, b"")
    assert (await deployed.call("echo", "GET")).status == 201


async def test_bodies_are_streamed_both_ways(deployed: Functions) -> None:
    deployed.write(
        "stream/index.ts",
        """
        Deno.serve((request) => {
          if (request.method === "POST") return new Response(request.body);
          let left = 3;
          return new Response(new ReadableStream({
            async pull(controller) {
              if (left-- === 0) return controller.close();
              controller.enqueue(new TextEncoder().encode(`${left}`));
              await new Promise((done) => setTimeout(done, 200));
            },
          }));
        });
        """,
    )
    large = bytes(range(256)) * 40_000
    assert (await deployed.call("stream", body=large)).body == large

    url = deployed.server.make_url("/functions/v1/stream")
    arrived = []
    async with deployed.session.get(url, headers={"apikey": deployed.keys.anon}) as answer:
        async for piece in answer.content.iter_any():
            arrived.append((piece, time.monotonic()))
    assert b"".join(piece for piece, _ in arrived) == b"210"
    assert arrived[-1][1] - arrived[0][1] > 0.2, "the first piece did not wait for the last"


async def test_an_unknown_function_is_404_in_the_platforms_shape(deployed: Functions) -> None:
    deployed.write("_shared/index.ts", HELLO)
    deployed.write(".env", "A=1\n")

    for path in ("missing", "_shared", "..%2Ffunctions", "", "%00", "echo%2F..%2Fhello", ".env"):
        answer = await deployed.call(path)
        assert answer.status == 404, path
        assert answer.headers["sb-error-code"] == "NOT_FOUND"
        expected = {"code": "NOT_FOUND", "message": "Requested function was not found"}
        assert json.loads(answer.body) == expected


@pytest.mark.parametrize("key", ["publishable", "secret", "anon", "service_role"])
async def test_every_key_opens(deployed: Functions, key: str) -> None:
    deployed.write("hello/index.ts", HELLO)
    assert (await deployed.call("hello", key=key)).body == b"hello"
    bearer = {"authorization": f"Bearer {getattr(deployed.keys, key)}"}
    assert (await deployed.call("hello", key=None, headers=bearer)).body == b"hello"


async def test_without_a_valid_key_only_what_is_open_answers(deployed: Functions) -> None:
    deployed.write("hello/index.ts", HELLO)
    deployed.write("open/index.ts", HELLO)
    expired = deployed.keys.sign({"role": "authenticated", "exp": 1})
    forged = jwt.encode({"role": "service_role"}, "x" * 32)
    unsigned = jwt.encode({"role": "service_role"}, "", algorithm="none")

    missing = await deployed.call("hello", key=None)

    assert missing.status == 401
    assert json.loads(missing.body) == {
        "code": "UNAUTHORIZED_NO_AUTH_HEADER",
        "message": "Missing authorization header",
    }
    unknown = await deployed.call("hello", key=None, headers={"apikey": "sb_secret_unknown"})
    assert unknown.status == 401
    for token in (expired, forged, unsigned, "junk"):
        sent = {"authorization": f"Bearer {token}"}
        refused = await deployed.call("hello", headers=sent)
        assert (refused.status, json.loads(refused.body)["message"]) == (401, "Invalid JWT")
        assert (await deployed.call("open", key=None, headers=sent)).body == b"hello"
    assert (await deployed.call("open", key=None)).body == b"hello"
    assert (await deployed.call("hello", "OPTIONS", key=None)).body == b"hello"


async def test_the_environment_is_the_platforms_and_nothing_of_ours(
    deployed: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    deployed.write(".env", 'TOKEN="a $b"\nSUPABASE_URL=http://elsewhere.example.com\n')
    deployed.write(
        "environment/index.ts",
        "Deno.serve(() => Response.json(Deno.env.toObject()));\n",
    )

    seen = json.loads((await deployed.call("environment")).body)

    keys = deployed.keys
    assert seen["SUPABASE_URL"] == "http://127.0.0.1:54321"
    assert seen["SUPABASE_ANON_KEY"] == keys.anon
    assert seen["SUPABASE_SERVICE_ROLE_KEY"] == keys.service_role
    assert json.loads(seen["SUPABASE_PUBLISHABLE_KEYS"]) == {"default": keys.publishable}
    assert json.loads(seen["SUPABASE_SECRET_KEYS"]) == {"default": keys.secret}
    assert seen["SUPABASE_DB_URL"] == DB_URL
    assert seen["TOKEN"] == "a $b"
    assert not {"SECRET_OF_OURS", "VIRTUAL_ENV", "VINTNER_TEST_ADMIN_DSN"} & set(seen)


async def test_permissions_are_the_platforms(deployed: Functions) -> None:
    deployed.write("permissions/notes.txt", "read")
    deployed.write(
        "permissions/index.ts",
        """
        const here = new URL("./notes.txt", import.meta.url);
        const attempts = {
          readOwn: () => Deno.readTextFileSync(here),
          readOther: () => Deno.readTextFileSync("/etc/passwd"),
          write: () => Deno.writeTextFileSync(here, "written"),
          run: () => new Deno.Command("/bin/sh").outputSync(),
        };
        Deno.serve(() => Response.json(Object.fromEntries(
          Object.entries(attempts).map(([name, attempt]) => {
            try { return [name, attempt() ?? null]; } catch (error) { return [name, error.name]; }
          }),
        )));
        """,
    )
    assert json.loads((await deployed.call("permissions")).body) == {
        "readOwn": "read",
        "readOther": "NotCapable",
        "write": "NotCapable",
        "run": "NotCapable",
    }


async def test_a_change_shows_at_the_next_call(deployed: Functions) -> None:
    deployed.write("_shared/word.ts", 'export const word = "one";\n')
    deployed.write(
        "changing/index.ts",
        'import { word } from "../_shared/word.ts";\nDeno.serve(() => new Response(word));\n',
    )
    assert (await deployed.call("changing")).body == b"one"
    process = deployed.processes()["changing"]

    assert (await deployed.call("changing")).body == b"one"
    assert deployed.processes()["changing"] == process, "nothing changed, nothing restarts"
    deployed.write("_shared/word.ts", 'export const word = "another";\n')

    assert (await deployed.call("changing")).body == b"another"


async def test_an_exported_handler_and_work_after_the_answer(deployed: Functions) -> None:
    deployed.write("exported/deno.json", '{"imports": {"said": "./said.ts"}}')
    deployed.write("exported/said.ts", 'export const said = "exported";\n')
    deployed.write(
        "exported/index.ts",
        """
        import { said } from "said";
        export default {
          fetch() {
            const later = new Promise((done) => setTimeout(done, 50));
            EdgeRuntime.waitUntil(later.then(() => { throw new Error("failed afterwards"); }));
            return new Response(said);
          },
        };
        """,
    )
    assert (await deployed.call("exported")).body == b"exported"
    await _logged(deployed, "failed afterwards")
    assert (await deployed.call("exported")).body == b"exported"


async def test_a_throwing_function_is_500_and_told_in_the_log(deployed: Functions) -> None:
    deployed.write(
        "throwing/index.ts", 'Deno.serve(() => { throw new Error("the reason of it"); });\n'
    )
    assert (await deployed.call("throwing")).status == 500
    assert "the reason of it" in deployed.log.read_text()


async def test_a_function_that_does_not_start_leaves_the_others_alone(
    deployed: Functions,
) -> None:
    deployed.write("hello/index.ts", HELLO)
    for broken in ("this is no TypeScript", 'throw new Error("at the start");', "export {};"):
        deployed.write("broken/index.ts", broken)
        answer = await deployed.call("broken")
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "BOOT_ERROR")
        assert (await deployed.call("hello")).body == b"hello"
    assert "at the start" in deployed.log.read_text()


async def test_a_killed_deno_is_started_again(deployed: Functions) -> None:
    deployed.write("hello/index.ts", HELLO)
    deployed.write("dying/index.ts", "Deno.serve(() => Deno.exit(7));\n")
    assert (await deployed.call("hello")).body == b"hello"
    process = deployed.processes()["hello"]
    process.kill()
    await asyncio.to_thread(process.wait, 5)

    dead = await deployed.call("dying")

    assert (dead.status, json.loads(dead.body)["code"]) == (500, "WORKER_ERROR")
    assert (await deployed.call("hello")).body == b"hello"


async def test_a_function_that_never_answers_is_ended(
    deployed: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.write("endless/index.ts", "Deno.serve(() => { while (true); });\n")
    monkeypatch.setattr(app, "ANSWER_SECONDS", 1.5)
    endless = asyncio.create_task(deployed.call("endless"))
    assert (await deployed.call("hello")).body == b"hello", "the others go on meanwhile"
    late = await endless
    assert (late.status, json.loads(late.body)["code"]) == (504, "IDLE_TIMEOUT")
    assert "endless" not in deployed.processes()


async def test_many_calls_at_once_share_one_process(deployed: Functions) -> None:
    deployed.write("crowd/index.ts", HELLO)
    answers = await asyncio.gather(*(deployed.call("crowd") for _ in range(100)))
    assert {answer.body for answer in answers} == {b"hello"}
    lines = [process for name, process in deployed.processes().items() if name == "crowd"]
    assert len(lines) == 1


async def test_a_websocket_is_refused_by_name(deployed: Functions) -> None:
    deployed.write("hello/index.ts", HELLO)
    upgrade = {"connection": "Upgrade", "upgrade": "websocket"}
    refused = await deployed.call("hello", "GET", headers=upgrade)
    assert refused.status == 501
    assert "supabase start" in json.loads(refused.body)["message"]


async def _logged(deployed: Functions, text: str) -> None:
    for _ in range(200):
        if text in deployed.log.read_text():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the log does not say {text!r}")
