"""A federation in one process: sites with rows of their own, a carrier to break, and a clock to set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from heart_api.contract import Dataset, Feature, Target
from heart_api.federation import FederatedTrainingRequest, SiteFailure, SiteRef, SiteRequest, contract_sha256
from heart_api.training import CrossValidation, Training, Tuning
from heart_trainer.federation import keys
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.exchange import Reply, Seen, Site
from heart_trainer.federation.federate import Federation
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import Holding, hold
from heart_trainer.federation.serve_site import read_holding

SECRET = "k" * 48
FEATURES = (
    Feature(name="age", type="number", minimum=18, maximum=110, sensitive=True),
    Feature(name="sex", type="category", values=(0, 1), sensitive=True),
    Feature(name="cp", type="category", values=(1, 2, 3, 4)),
    Feature(name="thalach", type="number", required=False),
    Feature(name="oldpeak", type="number", required=False),
    Feature(name="ca", type="number", required=False),
)
TARGET = Target(name="num", positive_above=0, labels=("no disease", "disease"))
MODEL = ("clinic", "heart")
NAMES = ("hospital-01", "hospital-02", "hospital-03")


def training(**more: Any) -> Training:
    settings = {"tuning": Tuning(trials=3), "cross_validation": CrossValidation(folds=3), "calibration": "none"}
    return Training(**{**settings, **more})


def site_request(name: str, rows: int = 300, seed: int = 1, shift: float = 0.0, **more: Any) -> SiteRequest:
    uri = f"builtin://heart-synthetic?rows={rows}&seed={seed}&shift={shift}"
    found: dict[str, Any] = {
        "namespace": name,
        "name": name,
        "model_namespace": MODEL[0],
        "model_name": MODEL[1],
        "trigger": "t-1",
        "dataset": Dataset(uri=uri),
        "target": TARGET,
        "features": FEATURES,
        "contract_sha256": contract_sha256("classification", TARGET, FEATURES),
        "coordinator": "127.0.0.1:8443",
        "certificate": "",
    }
    return SiteRequest.model_validate(found | more)


def three_sites() -> list[SiteRequest]:
    """One small, one whose patients are older and sicker."""
    return [
        site_request("hospital-01", 400, 1),
        site_request("hospital-02", 150, 2),
        site_request("hospital-03", 300, 3, shift=0.6),
    ]


def federated(sites: Sequence[SiteRequest], **more: Any) -> FederatedTrainingRequest:
    found: dict[str, Any] = {
        "namespace": MODEL[0],
        "name": MODEL[1],
        "registry_name": ".".join(MODEL),
        "trigger": "t-1",
        "job": "heart-train-1",
        "target": TARGET,
        "features": FEATURES,
        "training": training(),
        "sites": tuple(site_ref(site) for site in sites),
        "round_deadline_seconds": 120,
    }
    return FederatedTrainingRequest.model_validate(found | more)


def site_ref(site: SiteRequest) -> SiteRef:
    key = keys.node_key(SECRET, site.namespace, site.name)
    return SiteRef(
        namespace=site.namespace,
        name=site.name,
        public_key=keys.public_text(key),
        minimum_rows=site.minimum_rows,
        minimum_cell=site.minimum_cell,
    )


@dataclass
class SetClock:
    """Waits pass at once. `every`: called after each, with the time."""

    time: float = 0.0
    every: Callable[[float], None] = lambda now: None

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.every(self.time)


@dataclass
class Node:
    """A site as the carrier sees it. `behave`: what becomes of an answer (None: it is never given)."""

    holder: Holder
    online: bool = True
    connection: int = 1
    bundle: str = field(default_factory=bundle_sha256)
    behave: Callable[[bytes, int], bytes | None] = lambda answer, count: answer
    asked: int = 0

    def restart(self, held: Holding | SiteFailure | None = None) -> None:
        """The site's process died and came back."""
        self.holder = Holder(self.holder.request, held or self.holder.held)
        self.connection, self.online = self.connection + 1, True


@dataclass
class FakeFleet:
    """Everything that is said goes through here: `sent` and `left` hold it, by node."""

    nodes: dict[int, Node]
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    left: list[tuple[int, bytes]] = field(default_factory=list)
    _answers: dict[str, bytes] = field(default_factory=dict)
    _count: int = 0
    _asked: dict[str, int] = field(default_factory=dict)
    """Node of each message."""

    def send(self, node: int, body: bytes, seconds: float) -> str:
        self._count += 1
        self.sent.append((node, body))
        site, message = self.nodes[node], f"m{self._count}"
        self._asked[message] = node
        site.asked += 1
        if not site.online:
            return message
        answer = site.behave(site.holder.answer(body, site.bundle), site.asked)
        if answer is not None:
            self.left.append((node, answer))
            self._answers[message] = answer
        return message

    def receive(self, messages: Sequence[str]) -> list[Reply]:
        """Flower answers itself for a node that went away with a question."""
        found = [Reply(name, self._answers.pop(name)) for name in messages if name in self._answers]
        lost = [name for name in messages if not self.nodes[self._asked[name]].online]
        return found + [
            Reply(name, None, "node unavailable") for name in lost if name not in {r.message for r in found}
        ]

    def seen(self) -> dict[int, Seen]:
        return {number: Seen(str(node.connection), node.online) for number, node in self.nodes.items()}


def together(sites: Sequence[SiteRequest], clock: SetClock | None = None, **more: Any) -> tuple[Federation, FakeFleet]:
    """A federation of these sites, each with the rows that it reads itself."""
    nodes = {number: Node(Holder(site, read_holding(site, SECRET))) for number, site in enumerate(sites, 1)}
    fleet = FakeFleet(nodes)
    known = [Site(site.namespace, site.name, number) for number, site in enumerate(sites, 1)]
    return Federation(federated(sites, **more), fleet, clock or SetClock(), known), fleet


def pooled_rows(sites: Sequence[SiteRequest]) -> tuple[Any, Any]:
    """(x, y) of all sites, for comparisons; nobody has them in a federation."""
    held = [hold(site, SECRET) for site in sites]
    return np.vstack([one.x for one in held]), np.concatenate([one.y for one in held])
