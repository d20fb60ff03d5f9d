"""The command `serve`: the API alone, in front of a database that was there before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import psutil
import pytest

from .small_project import eventually

COMMAND = Path(sys.executable).with_name("vintner-local")
SECRET = "a secret of the test that is long enough"
FAKE = Path(__file__).with_name("fake_postgrest.py")


@dataclass(frozen=True)
class Serving:
    """A running `serve` and what it printed."""

    variables: dict[str, str]
    process: subprocess.Popen[str]

    def client(self) -> httpx.Client:
        """A client with the secret key."""
        headers = {"apikey": self.variables["SUPABASE_SECRET_KEY"]}
        return httpx.Client(base_url=self.variables["SUPABASE_URL"], headers=headers, timeout=20)


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[Serving]:
    with subprocess.Popen(
        [str(COMMAND), "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(4)]
        variables = dict(line.replace('"', "").split("=", 1) for line in lines)
        try:
            assert eventually(lambda: is_healthy(variables["SUPABASE_URL"]))
            yield Serving(variables, process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def database() -> str:
    return os.environ["VINTNER_TEST_ADMIN_DSN"]


def test_a_prepared_database_is_served_with_printed_keys(database: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    options = ("--schemas", "public,cloud", "--jwt-secret-file", str(secret))
    with serving(*options, "--realtime-delay", "real", VINTNER_DB_URL=database) as run:
        assert run.variables["SUPABASE_JWT_SECRET"] == SECRET
        line = " ".join(psutil.Process(run.process.pid).cmdline())
        assert SECRET not in line
        assert database not in line
        with run.client() as client:
            unknown = client.get("/rest/v1/no_such_table", headers={"Accept-Profile": "cloud"})
            assert (unknown.status_code, unknown.json()["code"]) == (404, "PGRST205")
            own = {"Authorization": f"Bearer {jwt.encode({'role': 'anon', 'exp': 1}, SECRET)}"}
            assert client.get("/rest/v1/vineyards", headers=own).status_code == 401
            assert client.get("/auth/v1/health").status_code == 200
            assert client.post("/functions/v1/none").status_code == 404
            nowhere = client.get("/nowhere", headers={"Origin": "http://localhost:3000"})
            assert nowhere.status_code == 404
            assert nowhere.headers["Access-Control-Allow-Origin"] == "*", "a browser may read it"
            for header in (b"apikey", b"Authorization", b"User-Agent"):
                for path in ("/auth/v1/user", "/rest/v1/x", "/realtime/v1/api/broadcast"):
                    garbled = client.get(path, headers={header: b"\xff\xfe"})
                    assert (path, garbled.status_code) == (path, 400)
            storage = client.get("/storage/v1/bucket")
            assert storage.status_code == 501
            assert storage.json()["message"].startswith("Storage is not part of the local stack")
        other = run.client()
        other.headers["apikey"] = "sb_secret_other"
        with other:
            assert other.get("/rest/v1/vineyards").status_code == 401


def test_a_database_that_is_away_is_told_by_the_answers() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://supabase_admin@127.0.0.1:{closed.getsockname()[1]}/postgres"
        with serving(VINTNER_DB_URL=url) as run, run.client() as client:
            answer = client.get("/rest/v1/notes")
            assert (answer.status_code, answer.json()["code"]) == (503, "PGRST000")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--jwt-secret-file", "short"), "fewer than 32 characters"),
        (("--jwt-secret-file", "missing"), "No such file or directory"),
        (("--schemas", " , "), "--schemas names no schema"),
        (("--realtime-delay", "7"), "'7' is not one of '0', 'real'"),
    ],
)
def test_a_bad_option_is_told(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    (tmp_path / "short").write_text("short")
    failed = refused("--db-url", "postgresql://127.0.0.1:1/x", *options, folder=tmp_path)
    assert message in failed


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        told = refused("--db-url", "postgresql://127.0.0.1:1/x", "--port", port, folder=tmp_path)
    assert told == f"vintner-local: port {port} is taken: choose another one with --port, 0 for any"


def test_a_postgrest_at_hand_answers_in_place_of_ours(database: str, tmp_path: Path) -> None:
    program = tmp_path / "postgrest"
    program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    options = ("--schemas", "public,cloud")
    with (
        serving(*options, VINTNER_DB_URL=database, VINTNER_JWT_SECRET=SECRET, PATH=path) as run,
        run.client() as client,
    ):
        answer = client.post("/rest/v1/a%20b?select=%2A&id=eq.1", content=b"[1]")

        assert (answer.status_code, answer.headers["content-range"]) == (206, "0-0/2")
        told = answer.json()
        assert (told["method"], told["path"]) == ("POST", "/a%20b?select=%2A&id=eq.1")
        assert told["body"] == "[1]"
        assert "apikey" not in told["headers"]
        scheme, token = told["headers"]["authorization"].split()
        assert scheme == "Bearer"
        assert jwt.decode(token, SECRET, ["HS256"])["role"] == "service_role"
        given = told["environment"]
        assert given["PGRST_DB_URI"] == database
        assert given["PGRST_DB_SCHEMAS"] == "public,cloud"
        assert given["PGRST_DB_EXTRA_SEARCH_PATH"] == "public,extensions"
        assert given["PGRST_DB_ANON_ROLE"] == "anon"
        assert given["PGRST_DB_MAX_ROWS"] == "1000"
        assert given["PGRST_JWT_SECRET"] == SECRET
        assert client.head("/rest/v1/x").status_code == 206
        own = jwt.encode({"role": "authenticated"}, SECRET)
        mine = client.get("/rest/v1/x", headers={"Authorization": f"Bearer {own}"}).json()
        assert mine["headers"]["authorization"] == f"Bearer {own}"
        unkeyed = httpx.get(f"{run.variables['SUPABASE_URL']}/rest/v1/x")
        assert unkeyed.status_code == 401
        assert client.get("/auth/v1/health").status_code == 200, "the rest is ours"

        (fake,) = (
            child
            for child in psutil.Process(run.process.pid).children(recursive=True)
            if child.cmdline()[1:] == [str(program.resolve())]
        )
        fake.kill()
        fake.wait(5)
        assert client.get("/rest/v1/x").status_code == 206, "it is started again"
    assert eventually(lambda: not any(str(program) in line for line in command_lines()))


def test_a_postgrest_that_is_none_is_told(tmp_path: Path) -> None:
    told = refused("--db-url", "x", folder=tmp_path, POSTGREST_BIN="/nowhere/postgrest")
    assert told == (
        "vintner-local: POSTGREST_BIN is /nowhere/postgrest, which is no program: "
        "correct or unset it"
    )


def refused(*arguments: str, folder: Path, **environment: str) -> str:
    free = () if "--port" in arguments else ("--port", "0")
    done = subprocess.run(
        [str(COMMAND), "serve", *free, *arguments],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr.strip()


def command_lines() -> list[str]:
    return [" ".join(found.info["cmdline"] or []) for found in psutil.process_iter(["cmdline"])]
