"""Each command against the real stack."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import subprocess
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from .conftest import PROGRAM, Grape

Planted = Callable[..., str]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def on_terminal(grape: Grape, *args: str, answer: str = "") -> tuple[int, str]:
    """Runs grape on a pseudo-terminal; gives its exit status and all that it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *args],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**grape.env, "TERM": "xterm-256color", "COLUMNS": "160"},
        cwd=grape.home,
        start_new_session=True,
    )
    os.close(follower)
    if answer:
        os.write(leader, answer.encode())
    shown = b""
    deadline = time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 0.1)[0]:
                try:
                    data = os.read(leader, 65536)
                except OSError:  # the other end is closed
                    break
                shown += data
                if not data:
                    break
        return process.wait(10), shown.decode()
    finally:
        process.kill()
        os.close(leader)


def test_vineyards_and_identities(grape: Grape) -> None:
    assert grape("vineyard", "list").out == ""
    made = grape("vineyard", "create", "webshop", "--description", "the shop")
    assert UUID(made.out.strip())
    grape.file("credentials.json", '{"role_arn": "arn:x", "secret_access_key": "very-secret"}')
    identity = grape(
        "identity", "create", "prod", "--provider", "aws", "--credentials", "credentials.json"
    )
    assert identity.status == 0

    (row,) = grape("vineyard", "list").rows
    assert row[:3] == [made.out.strip(), "webshop", "the shop"]
    assert re.fullmatch(TIME, row[3])
    (found,) = grape("vineyard", "list", "--json").json
    assert list(found) == ["id", "name", "description", "created_at"]
    (row,) = grape("identity", "list").rows
    assert row[1:4] == ["prod", "aws", "false"]
    (found,) = grape("identity", "list", "--json").json
    assert list(found) == ["id", "name", "provider", "is_verified", "created_at"]
    again = grape("vineyard", "create", "webshop")
    assert (again.status, again.err) == (
        1,
        "grape: There is a vineyard with this name already.\n",
    )


def test_a_vine_is_planted_and_shown(grape: Grape) -> None:
    grape("vineyard", "create", "webshop")
    grape("identity", "create", "sandbox", "--provider", "local")
    manifest = grape.file(
        "vine.yaml",
        "project_name: shop\nregion: eu-west-1\nnetwork: {}\ndatabases: [{name: orders}]\n"
        "cluster: {cluster_version: 1.30}\n",
    )
    planted = grape("plant", "-f", manifest, "--vineyard", "webshop", "--identity", "sandbox")
    assert planted.status == 0
    assert planted.err == "grape: shop/development is planted. Next: grape plan shop/development\n"
    vine_id = planted.out.strip()

    for name in (vine_id, "shop/development"):
        shown = grape("status", name, "--json").json
        assert shown["vine"]["id"] == vine_id
    assert list(shown) == ["vine", "components", "jobs"]
    assert list(shown["vine"]) == [
        "id",
        "project_name",
        "environment_stage",
        "region",
        "status",
        "estimated_monthly_cost",
        "created_at",
        "updated_at",
    ]
    assert shown["vine"]["estimated_monthly_cost"] is None
    assert {"kind": "databases", "name": "orders", "status": "PENDING", "outputs": {}} in shown[
        "components"
    ]
    told = grape("status", "shop").rows
    assert told[0][:6] == ["vine", vine_id, "shop", "development", "eu-west-1", "DRAFT"]
    assert ["component", "databases", "orders", "PENDING"] in told
    (row,) = grape("status").rows
    assert row[0] == vine_id
    assert row[-1] == "webshop"
    (listed,) = grape("status", "--json").json
    assert list(listed) == [*shown["vine"], "vineyard"]


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        (
            "project_name: shop\nregion: x\nsauces: []",
            "sauces: there is no such key; there are vineyard_id,",
        ),
        (
            "project_name: Shop\nregion: x",
            "project_name must be 2 to 40 lower-case letters, digits and hyphens",
        ),
        ("region: x", "project_name: this key is needed."),
        ("{", "Standard input is neither YAML nor JSON"),
        (
            "project_name: shop\nregion: x\nterraform_version: 1.6",
            "shop/development: terraform_version must be a version such as 1.11.4. "
            "Correct the value and try again.",
        ),
        (
            "project_name: shop\nregion: x\nnetwork: {allowed_cidr_blocks: 10.0.0.0/8}",
            'network.allowed_cidr_blocks: a list of texts is wanted, not "10.0.0.0/8".',
        ),
    ],
)
def test_a_wrong_manifest_plants_nothing(grape: Grape, manifest: str, text: str) -> None:
    grape("vineyard", "create", "webshop")
    done = grape("plant", "-f", "-", "--vineyard", "webshop", stdin=manifest)
    assert (done.status, done.out) == (1, "")
    assert text in done.err
    assert done.err.count("\n") == 1
    assert grape("status").out == ""


def test_names_that_name_nothing_or_too_much_are_told(grape: Grape, planted: Planted) -> None:
    planted()
    grape(
        "plant",
        "-f",
        "-",
        "--vineyard",
        "webshop",
        stdin="project_name: shop\nregion: x\nenvironment_stage: staging",
    )

    both = grape("plan", "shop")
    assert both.status == 1
    assert both.err == ('grape: "shop" names 2 vines. Say which: shop/development, shop/staging.\n')
    assert 'There is no vine "hop"' in grape("status", "hop").err
    assert 'There is no stage "prod"' in grape("status", "shop/prod").err
    assert "There is no vine " in grape("status", str(uuid4())).err
    assert (
        'There is no vineyard "x"' in grape("plant", "-f", "-", "--vineyard", "x", stdin="a: 1").err
    )
    assert "There is no job and no vine" in grape("logs", str(uuid4())).err
    assert "shop/staging has had no job" in grape("logs", "shop/staging").err
    assert 'There is no vine "x"' in grape("cancel", "x").err
    assert "There is no job and no vine" in grape("cancel", str(uuid4())).err
    assert grape("vineyard", "create", "").err == (
        "grape: The name of the vineyard is not one that is accepted. "
        "Correct the value and try again.\n"
    )


def test_jobs_are_queued_audited_and_cancelled(grape: Grape, planted: Planted) -> None:
    planted()
    job = grape("harvest", "shop", "--detach")
    job_id = job.out.strip()
    assert job.status == 0
    assert UUID(job_id)
    assert "You have no Tendril" in job.err
    assert f"grape logs -f {job_id}" in job.err

    busy = grape("harvest", "shop", "--detach")
    assert (busy.status, busy.out) == (1, "")
    assert "has an unfinished DEPLOY job" in busy.err
    assert grape("logs", job_id).status == 0
    assert grape("cancel", "shop").err == f"grape: The job {job_id} is cancelled.\n"
    followed = grape("logs", "-f", "shop")
    assert followed.status == 1
    assert "DEPLOY of shop/development was cancelled." in followed.err
    assert "has ended as CANCELLED" in grape("cancel", job_id).err
    told = grape("status", "shop").rows
    assert ["job", job_id, "DEPLOY", "CANCELLED"] in [row[:4] for row in told]
    actions = [(row[1], row[2]) for row in grape("audit", "shop").rows]
    assert actions == [
        ("CREATED", "vine"),
        ("CREATED", "network"),
        ("UPDATED", "vine"),
        ("UPDATED", "vine"),
    ]
    entry = grape("audit", "shop", "--json").json[2]
    assert list(entry) == [
        "created_at",
        "action",
        "component_type",
        "changes",
        "user_id",
        "component_id",
    ]
    assert entry["changes"]["status"] == {"before": "DRAFT", "after": "QUEUED"}


def test_a_detached_job_goes_on(grape: Grape, planted: Planted) -> None:
    planted()
    process = grape.start("plan", "shop")
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(3)]
    assert lines[2] == "grape: shop/development is DRAFT.\n"
    job_id = lines[1].rstrip(".\n").rpartition(" ")[2]
    time.sleep(1)
    process.send_signal(2)

    _, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert err == f"grape: Detached; the job goes on. Come back with: grape logs -f {job_id}\n"
    (job,) = grape("status", "shop", "--json").json["jobs"]
    assert (job["id"], job["status"]) == (job_id, "QUEUED")


def test_a_vine_without_resources_is_deleted(grape: Grape, planted: Planted) -> None:
    planted()
    assert grape("delete", "shop").status == 2
    status, shown = on_terminal(grape, "delete", "shop", answer="n\n")
    assert status == 130
    assert "Delete the vine shop/development, which is DRAFT?" in shown
    grape("harvest", "shop", "--detach")
    refused = grape("delete", "shop", "--yes")
    assert refused.status == 1
    assert refused.err == (
        "grape: The vine shop/development is QUEUED: its resources may exist. "
        "Destroy it first, then delete it.\n"
    )
    grape("cancel", "shop")

    done = grape("delete", "shop", "--yes")

    assert (done.status, done.out) == (0, "")
    assert done.err == "grape: The vine shop/development is deleted.\n"
    assert grape("status").out == ""


def test_destroying_asks_first(grape: Grape, planted: Planted) -> None:
    planted()
    assert grape("destroy", "shop").status == 2
    status, shown = on_terminal(grape, "destroy", "shop", answer="n\n")
    assert status == 130
    assert "Destroy all resources of shop/development?" in shown
    refused = grape("destroy", "shop", "--yes")
    assert refused.status == 1
    assert "is DRAFT: there is nothing to destroy." in refused.err


def test_a_production_vine_wants_its_name(grape: Grape, planted: Planted) -> None:
    planted(environment_stage="production")
    assert grape("destroy", "shop", "--yes").status == 2
    status, shown = on_terminal(grape, "destroy", "shop", answer="other\n")
    assert status == 1
    assert "Type its project's name" in shown


def test_tendrils_are_registered_and_listed(grape: Grape) -> None:
    made = grape("tendril", "register", "cellar")
    assert re.fullmatch(r"vt_[0-9a-f-]{36}_[\w-]{32}\n", made.out)
    assert "tendril run" in made.err
    named = grape("tendril", "register", "attic", "--token-file", "token")
    token = (grape.home / "token").read_text()
    assert stat.S_IMODE((grape.home / "token").stat().st_mode) == 0o600
    assert token.startswith(f"vt_{named.out.strip()}_")
    assert token.strip() not in named.out + named.err

    again = grape("tendril", "register", "attic", "--token-file", "token")

    assert again.status == 1
    assert "token exists already" in again.err
    rows = grape("tendril", "list").rows
    assert [row[1:4] for row in rows] == [
        ["attic", "self-hosted", "OFFLINE"],
        ["cellar", "self-hosted", "OFFLINE"],
    ]
    assert list(grape("tendril", "list", "--json").json[0]) == [
        "id",
        "name",
        "mode",
        "status",
        "version",
        "last_heartbeat",
        "created_at",
    ]


def test_a_token_file_that_cannot_be_written_registers_nothing(grape: Grape) -> None:
    done = grape("tendril", "register", "cellar", "--token-file", "no/such/folder")
    assert done.status == 1
    assert "No such file or directory" in done.err
    assert grape("tendril", "list").out == ""


def test_missing_terraform_is_told_when_a_tendril_is_registered(grape: Grape) -> None:
    (grape.home / "bin").mkdir()
    grape.env["PATH"] = str(grape.home / "bin")
    done = grape("tendril", "register", "cellar")
    assert done.status == 0
    assert "Neither terraform nor tofu is on PATH. Install Terraform" in done.err


def test_a_terminal_shows_tables_in_colour(grape: Grape, planted: Planted) -> None:
    planted()
    status, shown = on_terminal(grape, "status")
    assert status == 0
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "PROJECT NAME" in plain
    assert re.search(r"shop +development +DRAFT +eu-west-1 +webshop +(just now|\d+ s ago)", plain)
    status, shown = on_terminal(grape, "status", "shop")
    assert status == 0
    assert "Components" in shown
    assert "No Tendril yet" in on_terminal(grape, "tendril", "list")[1]


def test_a_reader_who_leaves_is_no_failure(grape: Grape, planted: Planted) -> None:
    planted()
    process = grape.start("status", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
