"""A model's whole life, as a person leads it: created, changed, trained again, a canary, promoted, taken back.

For tests that disturb it: whatever happened on the way, it has to end as it ends without.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from heart_api.commands import Command
from heart_api.kube.kinds import HEART_MODEL
from heart_api.names import Annotation
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.world import World, kind_named

ME = "heartops-admin"
"""Who the tests are to the API server: nobody may speak for another."""
HELD: Resource = {
    "steps": [{"setWeight": 50}, {"pause": {}}],
    "analysis": {"interval": "1s", "onInconclusive": "Promote"},
}
PATIENT = HELD | {"readyDeadline": "30m"}
VOLATILE = ("clusterIP", "clusterIPs", "selector", "template")
UNTOLD = (
    "analysis",
    "postPromotionAnalysis",
    "time",
    "since",
    "until",
    "finished",
    "started",
    "warmUntil",
    "lastTransitionTime",
)


def annotate(world: World, annotations: dict[str, str]) -> None:
    world.api.patch(HEART_MODEL, world.namespace, "heart", {"metadata": {"annotations": annotations}})


def retrain(world: World, value: str = "x") -> None:
    annotate(world, {Annotation.RETRAIN: value})


def submit(world: World, action: str, version: str, **about: str) -> None:
    """As `kubectl heart` does."""
    status = world.status()
    tracks = [status[role] for role in ("serving", "candidate") if role in status]
    digest = next(found for found in tracks if found["version"] == version)["digest"]
    values = {"action": action, "version": version, "digest": digest, "id": f"{action}-{version}", "by": ME} | about
    annotate(world, Command.model_validate(values).annotations())


def at_pause(world: World, seconds: float = 30) -> None:
    def paused() -> bool:
        return world.status().get("candidate", {}).get("phase") == "Paused"

    poll("the candidate pauses", paused, seconds)


Stage = Callable[[World, float], None]


def create(world: World, seconds: float) -> None:
    world.create(rollout=PATIENT)
    world.wait_serving("1", seconds=seconds)


def update(world: World, seconds: float) -> None:
    world.edit({"serving": {"replicas": 1}})
    poll("one pod is wanted", lambda: world.deployments()["1"]["spec"]["replicas"] == 1, seconds)
    world.wait_serving("1", seconds=seconds)


def start_canary(world: World, seconds: float) -> None:
    retrain(world)
    at_pause(world, seconds)


def promote(world: World, seconds: float) -> None:
    submit(world, "promote", "2", reason="looks fine")
    world.wait_serving("2", seconds=seconds)


def roll_back(world: World, seconds: float) -> None:
    submit(world, "rollback", "2", reason="complaints")
    world.wait_serving("1", seconds=seconds)
    poll("the pods of version 2 are gone", lambda: set(world.deployments()) == {"1"}, seconds)


STAGES: tuple[Stage, ...] = (create, update, start_canary, promote, roll_back)


def live(world: World, seconds: float = 60) -> None:
    """From the first `kubectl apply` to a rollback; `seconds` for each stage."""
    for stage in STAGES:
        stage(world, seconds)
    wanted = {"serving": "1"}
    poll("the registry agrees", lambda: world.registry.aliases(f"{world.namespace}.heart") == wanted, seconds)


def delete(world: World, seconds: float = 60) -> None:
    world.api.delete(HEART_MODEL, world.namespace, "heart")
    poll("all children are gone", lambda: not world.children(), seconds)


def picture(world: World) -> dict[str, Any]:
    """How it ended, without what differs between any two runs: comparable with `==`."""
    shown: dict[str, Any] = {"status": forget(world.status(), UNTOLD)}
    for kind, name in sorted(world.children()):
        found = world.child(kind_named(kind), name)
        volatile = VOLATILE if kind in ("Job", "Service") else VOLATILE[:2]
        parts = {key: value for key, value in found.items() if key not in ("metadata", "status")}
        shown[f"{kind} {name}"] = {"labels": found["metadata"].get("labels"), **forget(parts, volatile)}
        if kind == "Service":
            shown["selector"] = found["spec"].get("selector")
    answer: dict[str, Any] = json.loads(plain(json.dumps(shown, sort_keys=True), world))
    return answer


def forget(value: Any, names: tuple[str, ...]) -> Any:
    """The value without these keys, at any depth."""
    if isinstance(value, dict):
        return {key: forget(inner, names) for key, inner in value.items() if key not in names}
    return [forget(inner, names) for inner in value] if isinstance(value, list) else value


def plain(text: str, world: World) -> str:
    """Every name and digest that holds the namespace or an object's uid, the same in every run."""
    text = text.replace(world.namespace, "NAMESPACE")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", text)
    text = re.sub(r"(heart-train)-[0-9a-f]{8}", r"\1-…", text)
    text = re.sub(r'("heartops.dev/applied": )"[^"]*"', r'\1"…"', text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z", "TIME", text)
