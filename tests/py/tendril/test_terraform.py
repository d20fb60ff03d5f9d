"""Real Terraform on the built-in template, its state kept by the state server."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.waiting import until
from tendril.state_server import StateServer
from tendril.stop import StopReason, StopRequest
from tendril.terraform import Terraform, TerraformFailed, TerraformStopped
from tendril.terraform_binary import TerraformBinary, TerraformMissing, find_terraform
from tendril.workspace import (
    NoTemplate,
    Workspace,
    add_template,
    open_workspace,
    terraform_variables,
)
from vintner_client.errors import StateConflict
from vintner_client.models import JobContext, StreamType

COMPONENTS: dict[str, Any] = {
    "network": {
        "provision_network": True,
        "network_id": None,
        "cidr_block": "10.0.0.0/16",
        "single_nat_gateway": True,
        "allowed_cidr_blocks": [],
    },
    "cluster": {
        "cluster_version": "1.31",
        "provider_config": {"addons": ["metrics"]},
        "cluster_admins": [{"arn": "a"}, "b"],
        "instance_types": ["m5.large"],
        "node_min_size": 1,
        "node_max_size": 3,
        "node_desired_size": 2,
    },
    "dns": {
        "enabled": True,
        "zone_id": None,
        "domain_name": "shop.example.com",
        "managed_certificate": True,
        "waf_enabled": False,
        "provider_config": {},
    },
    "repositories": {"apps_template_repo": "https://git.example.com/apps"},
    "databases": [
        {
            "name": name,
            "engine": "aurora-postgresql",
            "engine_version": "16.4",
            "min_capacity": 0.5,
            "max_capacity": 2,
            "port": 5432,
            "backup_retention_days": 7,
            "iam_auth": True,
        }
        for name in ("main", "reports")
    ],
    "caches": [
        {
            "name": "sessions",
            "engine": "valkey",
            "node_type": "cache.t4g.small",
            "num_cache_nodes": 1,
            "multi_az": False,
            "allowed_cidr_blocks": [],
        }
    ],
    "queues": [
        {
            "name": "orders",
            "fifo": False,
            "visibility_timeout": 30,
            "message_retention": 345600,
            "delay_seconds": 0,
        }
    ],
    "topics": [
        {"name": "mail", "subscriptions": [{"protocol": "email"}]},
        {"name": "audit", "subscriptions": ["orders"]},
    ],
    "nosql_tables": [
        {"name": "carts", "hash_key": "id", "range_key": None, "provider_config": {"ttl": "at"}},
        {"name": "visits", "hash_key": "id", "range_key": "at", "provider_config": {}},
    ],
    "container_registries": [
        {"name": "web", "image_tag_mutability": "IMMUTABLE", "provider_config": {}}
    ],
    "secrets": [{"name": "api-key", "generate": True, "length": 32, "special_chars": True}],
}
RESOURCES = 14
NO_COMPONENTS: dict[str, Any] = {
    kind: [] if isinstance(value, list) else None for kind, value in COMPONENTS.items()
}


def context(components: Mapping[str, Any] = COMPONENTS, provider: str = "local") -> JobContext:
    return JobContext.model_validate(
        {
            "version": 1,
            "job": {
                "id": "0d9a5a53-6a3a-4d0b-8d5c-3f1f7e6f1c11",
                "job_type": "DEPLOY",
                "attempt": 1,
            },
            "vine": {
                "id": "6f1f3c52-9c0f-4b6b-a3a5-0b2f6f2f8a22",
                "project_name": "shop",
                "environment_stage": "development",
                "region": "eu-west-1",
                "terraform_version": "1.11.4",
                "provider": provider,
                "name_prefix": "shop-development",
                "state_path": "development/shop/6f1f3c52-9c0f-4b6b-a3a5-0b2f6f2f8a22",
            },
            "components": components,
            "credentials": {},
            "next_log_seq": 1,
        }
    )


class MemoryState:
    """A state store in memory, with the rules of the database's."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.holder: dict[str, Any] | None = None
        self.puts = 0

    async def get(self) -> str | None:
        return self.state

    async def put(self, state: str, lock_id: str) -> None:
        if self.holder is None or self.holder["ID"] != lock_id:
            raise StateConflict("this job does not hold its lock")
        self.state = state
        self.puts += 1

    async def lock(self, info: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self.holder is not None:
            return self.holder
        self.holder = dict(info)
        return None

    async def unlock(self, lock_id: str | None) -> None:
        if lock_id is None or (self.holder and self.holder["ID"] == lock_id):
            self.holder = None


class Run:
    """One job's Terraform, and what it printed."""

    def __init__(
        self, binary: TerraformBinary, workspace: Workspace, settings: Mapping[str, str]
    ) -> None:
        self.lines: list[tuple[StreamType, str]] = []
        self.stop = StopRequest()
        self.terraform = Terraform(
            binary,
            folder=workspace.terraform,
            home=workspace.home,
            cli_config=workspace.cli_config,
            settings=settings,
            write=lambda stream, text: self.lines.append((stream, text)),
            stop=self.stop,
        )

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.lines)

    async def printed(self, text: str) -> None:
        await until(lambda: text in self.text)


@pytest.fixture
async def binary() -> TerraformBinary:
    return await find_terraform(None)


@pytest.fixture
def store() -> MemoryState:
    return MemoryState()


@pytest.fixture
async def server(store: MemoryState) -> AsyncIterator[StateServer]:
    async with StateServer(store) as server:
        yield server


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path, context()) as workspace:
        yield workspace


async def test_plan_apply_and_destroy_of_the_built_in_template(
    binary: TerraformBinary, store: MemoryState, tmp_path: Path
) -> None:
    async def job(components: Mapping[str, Any], *, destroy: bool = False) -> dict[str, int]:
        """One whole job: each has a folder, a state server and a password of its own."""
        job_context = context(components)
        with open_workspace(tmp_path, job_context) as workspace:
            add_template(workspace, job_context)
            async with StateServer(store) as server:
                run = Run(binary, workspace, server.environment)
                await run.terraform.init()
                plan = await run.terraform.plan(destroy=destroy)
                await run.terraform.apply()
                outputs.append(await run.terraform.outputs())
                texts.append(run.text)
        assert os.listdir(tmp_path) == []
        assert store.holder is None
        return plan.summary

    outputs: list[dict[str, Any]] = []
    texts: list[str] = []
    assert await job(COMPONENTS) == {"add": RESOURCES, "change": 0, "destroy": 0}
    assert outputs[0]["cluster"] == {
        "cluster_name": "shop-development-cluster",
        "cluster_endpoint": "https://shop-development-cluster.eu-west-1.vintner.invalid",
        "cluster_arn": "arn:vintner:local:eu-west-1:cluster/shop-development-cluster",
        "argocd_url": "https://argocd.shop.example.com",
    }
    assert outputs[0]["network"]["network_id"].startswith("vpc-")
    assert outputs[0]["databases"]["main"] == {
        "endpoint": "shop-development-main.cluster-local.eu-west-1.vintner.invalid",
        "reader_endpoint": "shop-development-main.cluster-ro-local.eu-west-1.vintner.invalid",
        "cluster_identifier": "shop-development-main",
        "master_credentials_secret_arn": (
            "arn:vintner:local:eu-west-1:secret:shop-development-main-master"
        ),
    }
    assert set(outputs[0]["databases"]) == {"main", "reports"}
    assert outputs[0]["caches"] == {
        "sessions": {"endpoint": "shop-development-sessions.cache-local.eu-west-1.vintner.invalid"}
    }
    assert outputs[0]["container_registries"] == {
        "web": {"repository_url": "registry-local.eu-west-1.vintner.invalid/shop-development/web"}
    }
    assert 'terraform_data.database["main"]: Creation complete' in texts[0]
    assert f"Apply complete! Resources: {RESOURCES} added" in texts[0]

    changed = {
        **COMPONENTS,
        "secrets": [],
        "caches": [{**COMPONENTS["caches"][0], "multi_az": True}],
    }
    assert await job(changed) == {"add": 0, "change": 1, "destroy": 1}
    assert await job(changed) == {"add": 0, "change": 0, "destroy": 0}
    assert await job(changed, destroy=True) == {"add": 0, "change": 0, "destroy": RESOURCES - 1}
    assert outputs[3] == {}
    assert store.state is not None
    assert json.loads(store.state)["resources"] == []


async def test_a_vine_without_components_and_an_existing_network(
    binary: TerraformBinary, server: StateServer, workspace: Workspace
) -> None:
    network = {**COMPONENTS["network"], "provision_network": False, "network_id": "vpc-mine"}
    add_template(workspace, context({**NO_COMPONENTS, "network": network}))
    run = Run(binary, workspace, server.environment)
    await run.terraform.init()
    assert (await run.terraform.plan()).summary == {"add": 1, "change": 0, "destroy": 0}
    await run.terraform.apply()
    assert await run.terraform.outputs() == {
        "network": {"network_id": "vpc-mine"},
        "databases": {},
        "caches": {},
        "container_registries": {},
    }


async def test_terraform_gets_a_clean_environment_and_leaves_no_password_in_files(
    binary: TerraformBinary,
    server: StateServer,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-no-such-option")
    monkeypatch.setenv("TF_VAR_vine", "not an object")
    monkeypatch.setenv("VINTNER_TENDRIL_TOKEN", "vt_secret")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere/terraform.rc")
    add_template(workspace, context())
    run = Run(binary, workspace, server.environment)
    await run.terraform.init()
    await run.terraform.plan()
    password = server.environment["TF_HTTP_PASSWORD"].encode()
    folder = workspace.terraform.parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert workspace.terraform / "vintner.tfplan" in files
    assert not any(password in path.read_bytes() for path in files)
    assert "configuration file" not in run.text
    assert folder.stat().st_mode & 0o777 == 0o700
    variables = workspace.terraform / "vintner.auto.tfvars.json"
    assert variables.stat().st_mode & 0o777 == 0o600


async def test_terraforms_first_error_is_the_reason(
    binary: TerraformBinary, server: StateServer, workspace: Workspace
) -> None:
    add_template(workspace, context())
    variables = workspace.terraform / "vintner.auto.tfvars.json"
    given = {**terraform_variables(context()), "vintner_contract_version": 2}
    variables.write_text(json.dumps(given))
    run = Run(binary, workspace, server.environment)
    await run.terraform.init()
    with pytest.raises(TerraformFailed, match=REFUSED_CONTRACT):
        await run.terraform.plan()
    errors = "".join(text for stream, text in run.lines if stream is StreamType.STDERR)
    assert "This template knows version 1" in errors

    (workspace.terraform / "more.tf").write_text('module "m" { source = "./missing" }\n')
    with pytest.raises(TerraformFailed, match=r"^terraform init failed: .*[Mm]odule"):
        await Run(binary, workspace, server.environment).terraform.init()


async def test_a_locked_state_is_not_touched(
    binary: TerraformBinary, store: MemoryState, server: StateServer, workspace: Workspace
) -> None:
    store.holder = {"ID": "other", "Operation": "OperationTypeApply", "Who": "another job"}
    add_template(workspace, context())
    run = Run(binary, workspace, server.environment)
    await run.terraform.init()
    with pytest.raises(TerraformFailed, match=r"Error acquiring the state lock"):
        await run.terraform.plan()
    assert "already locked: ID=other" in run.text
    assert store.puts == 0


async def test_the_state_server_refuses_strangers(store: MemoryState, server: StateServer) -> None:
    settings = server.environment
    address = settings["TF_HTTP_ADDRESS"]
    user, password = settings["TF_HTTP_USERNAME"], settings["TF_HTTP_PASSWORD"]
    async with httpx.AsyncClient() as http:
        for auth in (None, (user, "wrong"), ("other", password)):
            for method in ("GET", "POST", "LOCK", "UNLOCK"):
                assert (await http.request(method, address, auth=auth)).status_code == 401
        store.holder = {"ID": "one"}
        assert (
            await http.post(f"{address}?ID=two", content="{}", auth=(user, password))
        ).status_code == 409
        assert (await http.request("UNLOCK", address, auth=(user, password))).status_code == 200
    assert store.holder is None
    assert store.state is None


REFUSED_CONTRACT = (
    "^terraform plan failed: Invalid value for variable: "
    "This template knows version 1 of the variables' contract.$"
)

SLOW = """
terraform {
  backend "http" {}
}
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo started; exec sleep 60"
  }
}
output "id" {
  value = terraform_data.first.id
}
"""


async def test_an_interrupted_apply_saves_its_state(
    binary: TerraformBinary, store: MemoryState, server: StateServer, workspace: Workspace
) -> None:
    workspace.terraform.mkdir()
    (workspace.terraform / "main.tf").write_text(SLOW)
    run = Run(binary, workspace, server.environment)
    await run.terraform.init()
    await run.terraform.plan()
    applying = asyncio.create_task(run.terraform.apply())
    await run.printed("started")
    run.stop.request(StopReason.CANCELLED)
    async with asyncio.timeout(15):
        with pytest.raises(TerraformStopped):
            await applying
    assert store.state is not None
    assert "first" in {resource["name"] for resource in json.loads(store.state)["resources"]}
    assert store.holder is None
    with pytest.raises(TerraformStopped):
        await run.terraform.plan()
    # what was applied before the stop is still read
    assert set(await run.terraform.outputs()) == {"id"}


async def test_without_a_template_the_reason_is_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(
        NoTemplate, match=r"no template for the provider aws; it has one for: local"
    ):
        add_template(workspace, context(provider="aws"))
    repositories = {"env_template_repo": "https://git.example.com/infra"}
    with pytest.raises(NoTemplate, match=r"clear env_template_repo"):
        add_template(workspace, context({**COMPONENTS, "repositories": repositories}))


async def test_terraform_is_found_or_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    real = shutil.which("terraform") or shutil.which("tofu")
    assert real is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TerraformMissing, match=r"No Terraform is on PATH. Install Terraform or"):
        await find_terraform(None)
    with pytest.raises(TerraformMissing, match=r"There is no program terraform-9."):
        await find_terraform("terraform-9")
    program("tofu", f'exec {real} "$@"')
    assert (await find_terraform(None)).path == tmp_path / "tofu"
    old = program("terraform", 'echo \'{"terraform_version": "1.5.7"}\'')
    with pytest.raises(TerraformMissing, match=r"is 1\.5\.7\. Install"):
        await find_terraform(None)
    old.write_text("not a program at all")
    with pytest.raises(TerraformMissing, match=r"cannot be run|no Terraform"):
        await find_terraform(os.fspath(old))
