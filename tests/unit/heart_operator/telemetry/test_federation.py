"""Metrics of sites: one series for each site of a model's latest training."""

from prometheus_client import generate_latest

from heart_api.heartmodel import HeartModelStatus, TrainingStatus
from heart_api.status import TrainingSite
from heart_operator.telemetry.operator import Metrics


def shown(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_each_site_has_its_part_and_a_model_that_is_gone_leaves_nothing() -> None:
    sites = (
        TrainingSite(site="north/ward", state="Completed", exchanges=8, received_bytes=9000, seconds=2.5),
        TrainingSite(site="south/ward", state="Offline", exchanges=1),
    )
    training = TrainingStatus(job="j", trigger="t", phase="Succeeded", sites=sites)
    metrics = Metrics()
    metrics.show("clinic", "heart", HeartModelStatus(training=training))
    text = shown(metrics)
    north = '{model="heart",namespace="clinic",site="north/ward"}'
    assert f"heartops_federation_site_exchanges{north} 8.0" in text
    assert f"heartops_federation_site_received_bytes{north} 9000.0" in text
    assert f"heartops_federation_site_seconds{north} 2.5" in text
    assert f"heartops_federation_site_lost{north} 0.0" in text
    assert 'site_lost{model="heart",namespace="clinic",site="south/ward"} 1.0' in text
    metrics.forget("clinic", "heart")
    assert "north/ward" not in shown(metrics)


def test_a_model_with_a_dataset_has_none() -> None:
    metrics = Metrics()
    metrics.show("clinic", "heart", HeartModelStatus())
    assert "site=" not in shown(metrics)
