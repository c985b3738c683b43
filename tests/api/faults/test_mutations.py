"""Every field of the spec with values that fit and that do not: refused by name, or carried out, or named by its path.

The API server's answer is the real one (a dry run); what it admits goes through the operator's reading and planning.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from heart_api.kube.kinds import HEART_MODEL
from heart_api.kube.objects import InvalidSpec, parse_model
from tests.support.apiserver.client import KubeApi
from tests.support.apiserver.world import SPEC, model
from tests.support.plan.mutations import Mutation, mutations, with_mutation
from tests.support.plan.world import World

pytestmark = pytest.mark.api

CRD = Path(__file__).resolve().parents[3] / "crds" / "heartmodels.heartops.dev.yaml"


def all_mutations() -> list[Mutation]:
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return list(mutations(schema["properties"]["spec"]))


def admitted(api: KubeApi, mutation: Mutation) -> dict[str, Any] | str:
    """The object as it would be stored, with its defaults; else why not."""
    wanted = model("default", "heart") | {"spec": with_mutation(SPEC, mutation)}
    try:
        return api.call("POST", HEART_MODEL.path("default"), wanted, dryRun="All", fieldValidation="Strict")
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in (400, 422):
            raise
        return str(error)


def beyond_the_schema(raw: dict[str, Any]) -> str:
    """What the operator reports with the reason InvalidSpec, as CEL cannot see it; empty: nothing."""
    try:
        parse_model(raw)
    except InvalidSpec as problem:
        return str(problem)
    return ""


def test_no_change_of_the_spec_is_a_surprise(kube_api: KubeApi) -> None:
    outcomes: Counter[str] = Counter()
    for mutation in all_mutations():
        path, value = mutation
        answer = admitted(kube_api, mutation)
        if isinstance(answer, str):
            assert any(name in answer for name in path), f"{path} = {value!r}: {answer}"
            outcomes["refused"] += 1
            continue
        if problem := beyond_the_schema(answer):
            assert f"spec.{path[0]}" in problem, f"{path} = {value!r}: {problem}"
            outcomes["named"] += 1
            continue
        read = parse_model(answer)
        world = World(model=read)
        plan = world.plan()
        ready = next(entry for entry in plan.conditions if entry.type == "Ready")
        if ready.reason == "InvalidSpec":
            assert f"spec.{path[0]}" in ready.message, f"{path} = {value!r}: {ready.message}"
        outcomes["named" if ready.reason == "InvalidSpec" else "carried out"] += 1
    print(dict(outcomes))
    assert sum(outcomes.values()) >= 500
    assert min(outcomes["refused"], outcomes["carried out"]) > 50
