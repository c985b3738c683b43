"""From users to figures: two real servers with one prediction log, and what each group's outcomes add up to."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hack.cluster.ports import free_port
from heart_api.handover import EXPERIMENT_FILE, Env
from heart_api.predictionlog import PredictionLog
from heart_serving.predictionlog import maintenance
from heart_serving.predictionlog.proofs import read_keys
from heart_serving.predictionlog.settings import LogSettings
from tests.support.serving.app import PROOF_KEY, running, serving
from tests.support.serving.tiny_model import RECORD, tiny_model

LABELS = ("no disease", "disease")
USERS = [f"user-{number}" for number in range(30)]
Figures = dict[tuple[str, str], float]


def told(url: str) -> str:
    about = {"version": "8", "url": url, "split": 50, "by": {"cookie": "visitor"}, "salt": "s", "metric": "Accuracy"}
    return json.dumps(about | {"since": "2026-01-01T00:00:00Z"})


async def ask(client: httpx.AsyncClient, user: str) -> dict[str, str]:
    """The answer, and who gave it."""
    headers = {"Cookie": f"theme=dark; visitor={user}"} if user else {}
    reply = await client.post("/predict", json=RECORD, headers=headers)
    return reply.raise_for_status().json() | {"by": reply.headers["x-model-version"]}


async def figures(url: str) -> Figures:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{url}/metrics")).text
    return {
        (sample.labels["arm"], sample.labels["statistic"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "experiment_outcomes"
    }


async def until(url: str, wanted: Figures) -> None:
    ends = time.monotonic() + 30
    while (found := await figures(url)) != wanted:
        assert time.monotonic() < ends, found
        await asyncio.sleep(0.1)


async def test_outcomes_count_for_the_version_that_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "REFRESH_SECONDS", 0.1)
    database = f"sqlite:///{tmp_path}/log.db"
    log = LogSettings(PredictionLog(), database, read_keys(PROOF_KEY))
    (tmp_path / "candidate").mkdir()
    (tmp_path / "stable").mkdir()
    variables = {Env.MODEL_VERSION: "8", Env.DATABASE_URL: database}
    management = free_port()
    with running(tiny_model(labels=LABELS), tmp_path / "candidate", **variables) as candidate:
        (tmp_path / "stable" / EXPERIMENT_FILE).write_text(told(candidate.url))
        settings = {"mirror_file": tmp_path / "stable" / "mirror.json", "log": log, "management_port": management}
        async with serving(tiny_model(labels=LABELS), tmp_path / "stable", **settings) as (server, port):
            server.application.predictions.start()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                ends = time.monotonic() + 20
                while not server.application.predictor.experiment.is_on:
                    assert time.monotonic() < ends
                    await asyncio.sleep(0.01)
                answers = [await ask(client, user) for user in (*USERS, "", "")]
                counted = Counter(answer["by"] for answer in answers[: len(USERS)])
                assert min(counted["7"], counted["8"]) >= 5
                for position, answer in enumerate(answers):
                    right = position % 3 or answer["by"] == "8"
                    outcome = answer["label"] if right else next(each for each in LABELS if each != answer["label"])
                    known = {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": outcome}
                    (await client.post("/feedback", json=known)).raise_for_status()
                mine = [position for position, answer in enumerate(answers[: len(USERS)]) if answer["by"] == "7"]
                right_of_mine = sum(position % 3 > 0 for position in mine)
                await until(
                    f"http://127.0.0.1:{management}",
                    {
                        ("stable", "count"): len(mine),
                        ("stable", "total"): right_of_mine,
                        ("stable", "squares"): right_of_mine,
                        ("candidate", "count"): counted["8"],
                        ("candidate", "total"): counted["8"],
                        ("candidate", "squares"): counted["8"],
                    },
                )
            server.application.predictions.close()
