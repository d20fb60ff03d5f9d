"""The models say what the generated types say: no column more, none that differs."""

from __future__ import annotations

from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from vintner_client import models, types

ROWS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (models.Vineyard, types.PublicVineyards),
    (models.CloudIdentity, types.PublicCloudIdentities),
    (models.Vine, types.PublicVines),
    (models.Network, types.PublicVineNetwork),
    (models.Cluster, types.PublicVineCluster),
    (models.Dns, types.PublicVineDns),
    (models.Repositories, types.PublicVineRepositories),
    (models.Database, types.PublicVineDatabases),
    (models.Cache, types.PublicVineCaches),
    (models.NosqlTable, types.PublicVineNosqlTables),
    (models.Queue, types.PublicVineQueues),
    (models.Topic, types.PublicVineTopics),
    (models.ContainerRegistry, types.PublicVineContainerRegistries),
    (models.Secret, types.PublicVineSecrets),
    (models.Job, types.PublicProvisionJobs),
    (models.LogChunk, types.PublicProvisionJobLogs),
    (models.Tendril, types.PublicWorkers),
    (models.AuditEntry, types.PublicVineAuditLog),
]
ENUMS: list[tuple[type[StrEnum], Any]] = [
    (models.EnvironmentStage, types.PublicEnvironmentStage),
    (models.VineStatus, types.PublicVineStatus),
    (models.ComponentStatus, types.PublicComponentStatus),
    (models.JobStatus, types.PublicProvisionJobStatus),
    (models.WorkerMode, types.PublicWorkerMode),
    (models.WorkerStatus, types.PublicWorkerStatus),
    (models.AuditAction, types.PublicAuditAction),
    (models.AccountRole, types.PublicAccountRole),
    (models.CacheEngine, types.PublicCacheEngine),
    (models.NosqlTableType, types.PublicNosqlTableType),
    (models.NosqlKeyType, types.PublicNosqlKeyType),
    (models.NosqlBillingMode, types.PublicNosqlBillingMode),
    (models.RegistryTagMutability, types.PublicRegistryTagMutability),
]


def may_be_none(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


@pytest.mark.parametrize(("model", "generated"), ROWS)
def test_a_models_fields_are_columns(model: type[BaseModel], generated: type[BaseModel]) -> None:
    columns = generated.model_fields
    for name, field in model.model_fields.items():
        assert name in columns
        assert may_be_none(field.annotation) == may_be_none(columns[name].annotation), name


@pytest.mark.parametrize(("enum", "generated"), ENUMS)
def test_an_enum_has_the_databases_values(enum: type[StrEnum], generated: Any) -> None:
    assert [member.value for member in enum] == list(get_args(generated))


def test_every_generated_enum_has_its_class() -> None:
    generated = {
        name for name, kind in vars(types).items() if name.startswith("Public") and get_args(kind)
    }
    assert generated == {
        name for _, kind in ENUMS for name in vars(types) if vars(types)[name] is kind
    }
