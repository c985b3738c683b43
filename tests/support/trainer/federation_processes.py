"""A federation in processes: SuperLink, gate, coordinator and sites, on loopback, in Flower's environment."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from hack.cluster.ports import free_port
from hack.venvs import Environment, make
from heart_api.federation import CoordinatorIdentity, FederatedTrainingRequest, Progress, SiteOutcome, SiteRequest
from heart_api.handover import Env, TrainingOutcome
from tests.support.trainer.federation import SECRET

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements" / "federation.txt"
SOURCES = ":".join(str(ROOT / part) for part in ("common/src", "trainer/src"))
PATIENCE = 420.0


def environment() -> Environment:
    """Flower cannot be in the development environment: it caps packages below what the tests run with."""
    return make("federation", ["--require-hashes", "-r", str(LOCK)], LOCK.read_text())


def until(found: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@dataclass
class Running:
    """A process with its log and termination message."""

    process: subprocess.Popen[bytes]
    log: Path
    message: Path

    def wait(self, seconds: float = PATIENCE) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds:.0f} s:\n{self.log.read_text()[-3000:]}") from None

    def outcome(self) -> SiteOutcome:
        return SiteOutcome.model_validate_json(self.message.read_bytes())

    def training(self) -> TrainingOutcome:
        return TrainingOutcome.model_validate_json(self.message.read_bytes())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)


@dataclass
class Pod:
    """The coordinator's pod, and sites beside it."""

    folder: Path
    python: str
    ports: dict[str, int] = field(default_factory=lambda: {n: free_port() for n in ("superlink", "gate", "progress")})
    running: list[Running] = field(default_factory=list)
    identity: CoordinatorIdentity | None = None

    def start(self, name: str, words: list[str], environ: Mapping[str, str]) -> Running:
        log, message = self.folder / f"{name}.log", self.folder / f"{name}.message"
        known = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        own = {
            "PYTHONPATH": SOURCES,
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            Env.TERMINATION_LOG: str(message),
            Env.FEDERATION_DIR: str(self.folder / "federation"),
        }
        with log.open("ab") as file:
            process = subprocess.Popen(
                [self.python, "-m", *words],
                env={**known, **own, **environ},
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self.running.append(Running(process, log, message))
        return self.running[-1]

    def open(self, request: FederatedTrainingRequest) -> None:
        """Certificate, SuperLink and gate."""
        secret = {Env.ROW_KEY: SECRET, Env.FEDERATED_REQUEST: request.model_dump_json(by_alias=True)}
        first = self.start("identity", ["heart_trainer.federation", "identity"], secret)
        assert first.wait() == 0, first.log.read_text()
        self.identity = CoordinatorIdentity.model_validate_json(first.message.read_bytes())
        self.superlink()
        self.gate()

    def gate(self) -> Running:
        gate = [
            "gate",
            "--port",
            str(self.ports["gate"]),
            "--superlink",
            f"https://127.0.0.1:{self.ports['superlink']}",
        ]
        return self.start("gate", ["heart_trainer.federation", *gate], {})

    def superlink(self) -> Running:
        words = ["heart_trainer.federation", "superlink", "--port", str(self.ports["superlink"])]
        return self.start("superlink", words, {})

    def coordinator(self, request: FederatedTrainingRequest, tracking_uri: str) -> Running:
        environ = {
            Env.FEDERATED_REQUEST: request.model_dump_json(by_alias=True),
            Env.TRACKING_URI: tracking_uri,
            Env.ROW_KEY: SECRET,
            "HEARTOPS_SUPERLINK": f"127.0.0.1:{self.ports['superlink']}",
            "HEARTOPS_PROGRESS_PORT": str(self.ports["progress"]),
        }
        return self.start("trainer", ["heart_trainer"], environ)

    def site(self, request: SiteRequest) -> Running:
        assert self.identity
        known = request.model_copy(
            update={
                "coordinator": f"127.0.0.1:{self.ports['gate']}",
                "certificate": self.identity.certificate,
                "bundle_sha256": self.identity.bundle_sha256,
            }
        )
        environ = {Env.SITE_REQUEST: known.model_dump_json(by_alias=True, exclude_none=True), Env.ROW_KEY: SECRET}
        return self.start(request.name, ["heart_trainer", "site"], environ)

    def progress(self) -> Progress | None:
        with (
            contextlib.suppress(OSError),
            contextlib.closing(HTTPConnection("127.0.0.1", self.ports["progress"])) as page,
        ):
            page.request("GET", "/progress")
            return Progress.model_validate(json.loads(page.getresponse().read()))
        return None

    def close(self) -> None:
        for one in reversed(self.running):
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.process.terminate()
        for one in self.running:
            try:
                one.process.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()


@contextlib.contextmanager
def pod(folder: Path, request: FederatedTrainingRequest, python: str) -> Iterator[Pod]:
    found = Pod(folder, python)
    try:
        found.open(request)
        yield found
    finally:
        found.close()
