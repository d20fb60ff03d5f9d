"""grape status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grape.app import signed_in
from grape.naming import vine_named
from grape.output import is_terminal, json_option, write, write_json, write_rows, write_table

if TYPE_CHECKING:
    from vintner_client import AsyncVintner
    from vintner_client.models import Components, Job, Vine

NEWEST_JOBS = 5
OUTPUTS = {
    "network": ("network_id",),
    "cluster": ("cluster_name", "cluster_endpoint", "cluster_arn", "argocd_url"),
    "databases": (
        "endpoint",
        "reader_endpoint",
        "cluster_identifier",
        "master_credentials_secret_arn",
    ),
    "caches": ("endpoint",),
    "container_registries": ("repository_url",),
}


@click.command()
@click.argument("vine", required=False)
@json_option
@signed_in
async def status(client: AsyncVintner, vine: str | None, as_json: bool) -> None:
    """Show a vine, or list all."""
    if vine is None:
        await _list(client, as_json)
        return
    found = await vine_named(client, vine)
    shown = {
        "vine": _vine(found),
        "components": _components(await client.vines.components(found.id)),
        "jobs": [_job(job) for job in await client.jobs.list(vine_id=found.id).take(NEWEST_JOBS)],
    }
    if as_json:
        write_json(shown)
    elif is_terminal():
        _show(shown)
    else:
        _tell(shown)


async def _list(client: AsyncVintner, as_json: bool) -> None:
    names = {vineyard.id: vineyard.name async for vineyard in client.vineyards.list()}
    rows = [
        {**_vine(vine), "vineyard": names.get(vine.vineyard_id)}
        async for vine in client.vines.list()
    ]
    if is_terminal() and not as_json:
        order = ("project_name", "environment_stage", "status", "region", "vineyard", "updated_at")
        rows = [{key: row[key] for key in order} for row in rows]
    write_rows(rows, as_json=as_json, empty="No vine yet. Plant one: grape plant -f FILE")


def _vine(vine: Vine) -> dict[str, Any]:
    return {
        "id": vine.id,
        "project_name": vine.project_name,
        "environment_stage": vine.environment_stage,
        "region": vine.region,
        "status": vine.status,
        "estimated_monthly_cost": vine.estimated_monthly_cost,
        "created_at": vine.created_at,
        "updated_at": vine.updated_at,
    }


def _components(components: Components) -> list[dict[str, Any]]:
    rows = []
    for kind in type(components).model_fields:
        value = getattr(components, kind)
        for component in value if isinstance(value, list) else [value] if value else []:
            rows.append(
                {
                    "kind": kind,
                    "name": getattr(component, "name", None),
                    "status": getattr(component, "status", None),
                    "outputs": {
                        name: output
                        for name in OUTPUTS.get(kind, ())
                        if (output := getattr(component, name)) is not None
                    },
                }
            )
    return rows


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "job_type": job.job_type,
        "status": job.status,
        "error_message": job.error_message,
        "created_at": job.created_at,
        "completed_at": job.completed_at,
    }


def _tell(shown: dict[str, Any]) -> None:
    """One fact a line, each line led by what it is about."""
    write_rows([{"about": "vine", **shown["vine"]}])
    for row in shown["components"]:
        write_rows([{"about": "component", **{k: v for k, v in row.items() if k != "outputs"}}])
    for output in _outputs(shown["components"]):
        write_rows([{"about": "output", **output}])
    for job in shown["jobs"]:
        write_rows([{"about": "job", **job}])


def _show(shown: dict[str, Any]) -> None:
    write_table([{k: v for k, v in shown["vine"].items() if k != "created_at"}])
    outputs = _outputs(shown["components"])
    for title, rows in (
        (
            "Components",
            [{k: v for k, v in r.items() if k != "outputs"} for r in shown["components"]],
        ),
        ("Outputs", outputs),
        ("Newest jobs", shown["jobs"]),
    ):
        if rows:
            write("")
            write_table(rows, title=title)


def _outputs(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"kind": row["kind"], "name": row["name"], "output": name, "value": value}
        for row in components
        for name, value in row["outputs"].items()
    ]
