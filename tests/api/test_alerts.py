"""Every alert of a model, run by promtool over made-up metrics: when it fires, and when it must not.

The rules are those that the operator writes for a model with the default limits. Times are minutes; each scenario is a
list of series and the moments at which it is asked whether the alert fires.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.heartmodel import HeartModel
from heart_api.profile import Images, RuntimeProfile
from heart_operator.manifests.prometheus_rule import build_prometheus_rule

MODEL = HeartModel.model_validate(
    {
        "namespace": "clinic",
        "name": "heart",
        "uid": "1",
        "spec": {
            "dataset": {"uri": "builtin://heart-synthetic"},
            "target": {"name": "num"},
            "features": [{"name": "age", "type": "number"}],
            "serving": {"predictionLog": {"sink": "PostgreSQL"}},
        },
    }
)
REGRESSION = HeartModel.model_validate(
    MODEL.dump()
    | {
        "spec": MODEL.spec.dump()
        | {
            "target": {"name": "price", "unit": "kUSD"},
            "training": {"task": "regression"},
            "monitoring": {"alerts": {"rmse": {"warning": 4.0, "critical": 6.0}}},
        }
    }
)
ROOT = Path(__file__).resolve().parents[2]
GUARDED = HeartModel.model_validate(MODEL.dump() | {"spec": MODEL.spec.dump() | {"serving": {"auth": "APIKey"}}})
PROFILE = RuntimeProfile(images=Images(trainer="t", serving="s"), tracking_uri="http://mlflow")
HOUR, DAY = 60, 24 * 60
REQUESTS = 6000
"""Requests per sample: enough for shares of a tenth of a per mille."""

Series = dict[str, str]
Minutes = Sequence[int]


@dataclass(frozen=True)
class Scenario:
    """`fires` and `silent`: minutes at which the alert does and does not fire."""

    name: str
    alert: str
    severity: str
    series: Sequence[Series]
    fires: Sequence[int] = ()
    silent: Sequence[int] = ()
    labels: dict[str, str] = field(default_factory=dict)
    step: int = 1
    """Minutes between two samples, and between two evaluations."""


def counter(rates: Sequence[tuple[int, float]]) -> str:
    """A counter that grows by `rate` a sample for so many samples, then at the next rate."""
    values, reached = [], 0.0
    for samples, rate in rates:
        values.append(f"{reached:.6f}+{rate:.6f}x{samples}")
        reached += rate * (samples + 1)
    return " ".join(values)


def selector(metric: str, **labels: str) -> str:
    found = {"namespace": "clinic", "model_name": "heart", "model_version": "7", "pod": "a"} | labels
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in found.items()) + "}"


def replies(*shares: tuple[int, float], total: float = REQUESTS, code: str = "500", **labels: str) -> list[Series]:
    """Traffic of which a share has the given code, for so many samples each."""
    bad = counter([(samples, total * share) for samples, share in shares])
    good = counter([(samples, total * (1 - share)) for samples, share in shares])
    return [
        {"series": selector("http_requests_total", code=code, **labels), "values": bad},
        {"series": selector("http_requests_total", code="200", **labels), "values": good},
    ]


def error_rate(severity: str, limit: float) -> list[Scenario]:
    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelErrorRate", severity, series, **when)

    above, below = limit * 1.1, limit * 0.98
    one_bad_pod = [*replies((60, 1.0), total=REQUESTS * above), *replies((60, 0.0), total=REQUESTS, pod="b")]
    few_bad = [*replies((60, 1.0), total=REQUESTS * limit * 0.9), *replies((60, 0.0), total=REQUESTS, pod="b")]
    return [
        scenario("above the limit", replies((60, above)), fires=(20, 60)),
        scenario("just below the limit", replies((60, below)), silent=(10, 30, 60)),
        scenario("not before it lasted", replies((30, 0), (30, above * 3)), silent=(30, 33, 35), fires=(45,)),
        scenario("over when it is over", replies((20, above), (30, 0)), fires=(20,), silent=(40, 50)),
        scenario("nothing is measured", [], silent=(10, 60)),
        scenario("nobody asks", replies((60, above), total=0), silent=(10, 60)),
        scenario("what users did wrong", replies((60, above * 3), code="422"), silent=(10, 60)),
        scenario("another model", replies((60, above), model_name="lungs"), silent=(10, 60)),
        scenario("the same name elsewhere", replies((60, above), namespace="ward"), silent=(10, 60)),
        scenario("all pods together, above", one_bad_pod, fires=(20, 60)),
        scenario("all pods together, below", few_bad, silent=(10, 30, 60)),
        scenario("no error ever", replies((60, 0))[1:], silent=(10, 60)),
    ]


def predictions(slow: float, limit: float, minutes: int = 60, total: float = REQUESTS, **labels: str) -> list[Series]:
    """Predictions of which a share needs longer than `limit` seconds."""
    below, above = {0.5: ("0.25", "1.0"), 1.0: ("0.5", "2.5")}[limit]
    cumulated = {below: 0.5, str(limit): 1 - slow, above: 1, "+Inf": 1}
    return [
        {
            "series": selector("prediction_latency_seconds_bucket", le=le, **labels),
            "values": counter([(minutes, total * share)]),
        }
        for le, share in cumulated.items()
    ]


def latency(severity: str, limit: float) -> list[Scenario]:
    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelLatency", severity, series, **when)

    mixed = [*predictions(0.2, limit, total=100), *predictions(0.0, limit, total=1000, pod="b")]
    slow_pod = [*predictions(0.2, limit, total=1000), *predictions(0.0, limit, total=1000, pod="b")]
    return [
        scenario("six in a hundred are slow", predictions(0.06, limit), fires=(20, 60)),
        scenario("four in a hundred are slow", predictions(0.04, limit), silent=(10, 30, 60)),
        scenario("not before it lasted", predictions(0.06, limit), silent=(1, 4), fires=(15,)),
        scenario("over when nobody asks any more", predictions(0.06, limit, minutes=20), fires=(20,), silent=(40,)),
        scenario("nothing is measured", [], silent=(10, 60)),
        scenario("nobody asks", predictions(0.06, limit, total=0), silent=(10, 60)),
        scenario("another model", predictions(0.06, limit, model_name="lungs"), silent=(10, 60)),
        scenario("the same name elsewhere", predictions(0.06, limit, namespace="ward"), silent=(10, 60)),
        scenario("one slow pod among many", mixed, silent=(10, 60)),
        scenario("one slow pod of two", slow_pod, fires=(20, 60)),
    ]


def budget(
    factor: float, long: int, short: int, severity: str, window: str, hold: int, step: int = 1
) -> list[Scenario]:
    """Objective 0.999: the budget is one reply in a thousand."""

    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(
            name, "HeartModelErrorBudgetBurn", severity, series, labels={"window": window}, step=step, **when
        )

    def burn(*shares: tuple[int, float], **options: Any) -> list[Series]:
        return replies(*((minutes // step, share) for minutes, share in shares), **options)

    above, below = factor * 0.001 * 1.1, factor * 0.001 * 0.95
    end = long + 2 * hold
    spike = [(long, 0), (short, above * 2), (hold, 0)]
    return [
        scenario("burns above the factor", burn((end, above)), fires=(end,)),
        scenario("burns just below the factor", burn((end, below)), silent=(end // 2, end)),
        scenario(
            "a spike that is small over the long window", burn(*spike), silent=(long + short, long + short + hold)
        ),
        scenario(
            "over once the short window is clean",
            burn((end, above), (short + hold, 0)),
            fires=(end,),
            silent=(end + short + hold,),
        ),
        scenario("not before it lasted", burn((end, above)), silent=(hold - 1,)),
        scenario("nothing is measured", [], silent=(hold, end)),
        scenario("nobody asks", burn((end, above), total=0), silent=(end,)),
        scenario("another model", burn((end, above), model_name="lungs"), silent=(end,)),
    ]


def up(values: str, **labels: str) -> Series:
    found = {"namespace": "clinic", "service": "heart-pods", "pod": "a"} | labels
    return {"series": "up{" + ",".join(f'{name}="{value}"' for name, value in found.items()) + "}", "values": values}


def down() -> list[Scenario]:
    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelDown", "critical", series, **when)

    return [
        scenario("no pod was ever scraped", [], silent=(4,), fires=(5, 60)),
        scenario("every pod is down", [up("0x60"), up("0x60", pod="b")], fires=(10, 60)),
        scenario("pods are up", [up("1x60"), up("1x60", pod="b")], silent=(10, 60)),
        scenario("one of two is down", [up("0x60"), up("1x60", pod="b")], silent=(10, 60)),
        scenario("a short gap", [up("1x20 0x3 1x30")], silent=(22, 24, 30, 50)),
        scenario("pods vanish", [up("1x20 stale _x40")], silent=(20,), fires=(30, 60)),
        scenario("over when a pod is back", [up("0x20 1x30")], fires=(20,), silent=(22, 50)),
        scenario("another model is up", [up("1x60", service="lungs-pods")], fires=(10,)),
        scenario("the same name is up elsewhere", [up("1x60", namespace="ward")], fires=(10,)),
    ]


def accuracy(severity: str, limit: float) -> list[Scenario]:
    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelAccuracy", severity, series, **when)

    def upper(value: float, minutes: int = 60, rest: str = "", **labels: str) -> Series:
        found = {"source": "feedback"} | labels
        return {"series": selector("model_accuracy_high", **found), "values": f"{value}x{minutes} {rest}".strip()}

    return [
        scenario("the whole interval is below", [upper(limit - 0.01)], fires=(20, 60)),
        scenario("the interval reaches the limit", [upper(limit)], silent=(10, 60)),
        scenario("not before it lasted", [upper(limit - 0.1)], silent=(1, 4), fires=(15,)),
        scenario("an estimate calls nobody", [upper(limit - 0.1, source="estimated")], silent=(10, 60)),
        scenario("over when it is better", [upper(limit - 0.1, 20, f"{limit + 0.05}x30")], fires=(20,), silent=(40,)),
        scenario("nothing is measured", [], silent=(10, 60)),
        scenario("another model", [upper(limit - 0.1, model_name="lungs")], silent=(10, 60)),
        scenario("the same name elsewhere", [upper(limit - 0.1, namespace="ward")], silent=(10, 60)),
        scenario("all pods say the same", [upper(limit - 0.1), upper(limit - 0.1, pod="b")], fires=(20,)),
    ]


def schedule_series(metric: str, values: str, **labels: str) -> Series:
    found = {"namespace": "clinic", "model": "heart", "schedule": "nightly"} | labels
    return {
        "series": metric + "{" + ",".join(f'{name}="{value}"' for name, value in found.items()) + "}",
        "values": values,
    }


def flag(alert: str, metric: str) -> list[Scenario]:
    """An alert on a metric of a schedule that is 1 or 0."""

    def scenario(
        name: str, *values: str, fires: Sequence[int] = (), silent: Sequence[int] = (), **labels: str
    ) -> Scenario:
        series = [schedule_series(metric, value, **labels) for value in values]
        return Scenario(name, alert, "warning", series, fires, silent)

    return [
        scenario("it is so", "1x60", fires=(10, 60)),
        scenario("it is not so", "0x60", silent=(10, 60)),
        scenario("not before it lasted", "1x60", silent=(1, 4), fires=(15,)),
        scenario("over when it is over", "1x20 0x30", fires=(20,), silent=(40,)),
        scenario("nothing is measured", silent=(10, 60)),
        scenario("another model", "1x60", silent=(10, 60), model="lungs"),
        scenario("the same name elsewhere", "1x60", silent=(10, 60), namespace="ward"),
    ]


def overdue(severity: str, hours: int) -> list[Scenario]:
    """promtool's clock begins at 0: a scheduled time at second 600 is overdue from minute 10 + 60 * hours on."""
    metric, late = "heartops_retraining_due_timestamp_seconds", 10 + 60 * hours

    def scenario(
        name: str, *values: str, fires: Sequence[int] = (), silent: Sequence[int] = (), **labels: str
    ) -> Scenario:
        series = [schedule_series(metric, value, **labels) for value in values]
        return Scenario(name, "HeartModelRetrainingOverdue", severity, series, fires, silent)

    end = late + 50
    return [
        scenario("late", f"600x{end}", fires=(late + 10, end), silent=(10, late - 10, late)),
        scenario("not before it lasted", f"600x{end}", silent=(late + 2,), fires=(late + 20,)),
        scenario("a training began", f"600x{late + 10} stale _x40", fires=(late + 10,), silent=(late + 30,)),
        scenario("the next one is late too", f"600x{late - 10} {late * 60}x60", silent=(late, late + 40)),
        scenario("nothing is due", silent=(10, late + 40)),
        scenario("another model", f"600x{end}", silent=(late + 10, end), model="lungs"),
        scenario("the same name elsewhere", f"600x{end}", silent=(late + 10, end), namespace="ward"),
    ]


def regression_error(severity: str, limit: float) -> list[Scenario]:
    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelRegressionError", severity, series, labels={"metric": "rmse"}, **when)

    def lower(value: float, minutes: int = 60, rest: str = "", **labels: str) -> Series:
        found = {"source": "feedback"} | labels
        return {"series": selector("model_rmse_low", **found), "values": f"{value}x{minutes} {rest}".strip()}

    return [
        scenario("the whole interval is above", [lower(limit + 0.1)], fires=(20, 60)),
        scenario("the interval reaches the limit", [lower(limit)], silent=(10, 60)),
        scenario("not before it lasted", [lower(limit + 1)], silent=(1, 4), fires=(15,)),
        scenario("over when it is better", [lower(limit + 1, 20, f"{limit - 1}x30")], fires=(20,), silent=(40,)),
        scenario("nothing is measured", [], silent=(10, 60)),
        scenario("another model", [lower(limit + 1, model_name="lungs")], silent=(10, 60)),
        scenario("the same name elsewhere", [lower(limit + 1, namespace="ward")], silent=(10, 60)),
    ]


def log_rate(alert: str, metric: str, **labels: str) -> list[Scenario]:
    """An alert on a counter of the prediction log that grows."""

    def scenario(
        name: str, *values: str, fires: Sequence[int] = (), silent: Sequence[int] = (), **other: str
    ) -> Scenario:
        series = [{"series": selector(metric, **(labels | other)), "values": value} for value in values]
        return Scenario(name, alert, "warning", series, fires, silent)

    return [
        scenario("it grows", "0+5x60", fires=(20, 60)),
        scenario("it does not grow", "7x60", silent=(20, 60)),
        scenario("not before it lasted", "0+5x60", silent=(5, 9), fires=(20,)),
        scenario("over when it is over", "0+5x20 100x40", fires=(19,), silent=(40,)),
        scenario("nothing is measured", silent=(10, 60)),
        scenario("another model", "0+5x60", silent=(20, 60), model_name="lungs"),
        scenario("the same name elsewhere", "0+5x60", silent=(20, 60), namespace="ward"),
    ]


def track(version: str, values: str, **labels: str) -> Series:
    found = {"namespace": "clinic", "model": "heart", "version": version, "track": "stable"} | labels
    pairs = ",".join(f'{name}="{value}"' for name, value in found.items())
    return {"series": f"heartops_model_track{{{pairs}}}", "values": values}


def deployed() -> list[Scenario]:
    leads = {"series": 'heartops_is_leader{pod="a"}', "values": "1x120"}

    def scenario(name: str, series: Sequence[Series], **when: Sequence[int]) -> Scenario:
        return Scenario(name, "HeartModelVersionDeployed", "info", series, **when)

    return [
        scenario("the first version", [leads, track("1", "_x30 1x60")], silent=(20, 60), fires=(35, 44)),
        scenario(
            "another version", [leads, track("1", "1x30 stale"), track("2", "_x31 1x60")], fires=(35,), silent=(60,)
        ),
        scenario("the same version", [leads, track("1", "1x90")], silent=(20, 40, 80)),
        scenario(
            "the way back", [leads, track("1", "1x20 stale _x19 1x40"), track("2", "_x21 1x19 stale")], fires=(30, 45)
        ),
        scenario(
            "back within minutes",
            [leads, track("1", "1x30 stale _x4 1x60"), track("2", "_x31 1x4 stale")],
            fires=(33, 40, 48),
            silent=(30, 60),
        ),
        scenario(
            "the operator is new", [{**leads, "values": "_x30 1x60"}, track("1", "_x30 1x60")], silent=(35, 44, 60)
        ),
        scenario("a candidate", [leads, track("2", "_x30 1x60", track="candidate")], silent=(35, 60)),
        scenario("another model", [leads, track("2", "_x30 1x60", model="lungs")], silent=(35, 60)),
        scenario("the same name elsewhere", [leads, track("2", "_x30 1x60", namespace="ward")], silent=(35, 60)),
    ]


def retrained() -> list[Scenario]:
    """A run succeeded at second 1800, which is minute 30."""
    metric = "heartops_retraining_last_success_timestamp_seconds"

    def scenario(
        name: str, *values: str, fires: Sequence[int] = (), silent: Sequence[int] = (), **labels: str
    ) -> Scenario:
        series = [schedule_series(metric, value, **labels) for value in values]
        return Scenario(name, "HeartModelRetrained", "info", series, fires, silent)

    return [
        scenario("a run succeeded", "_x30 1800x60", fires=(35, 44), silent=(20, 46, 60)),
        scenario("again", "_x30 1800x29 3600x60", fires=(35, 65), silent=(50, 80)),
        scenario("long ago", "0x90", silent=(20, 60)),
        scenario("never", silent=(10, 60)),
        scenario("over by itself", "_x30 1800x60", silent=(50,)),
        scenario("another model", "_x30 1800x60", silent=(35, 60), model="lungs"),
        scenario("the same name elsewhere", "_x30 1800x60", silent=(35, 60), namespace="ward"),
    ]


SCENARIOS = [
    *error_rate("critical", 0.05),
    *error_rate("warning", 0.02),
    *latency("critical", 1.0),
    *latency("warning", 0.5),
    *budget(14.4, HOUR, 5, "critical", "1h", 2),
    *budget(6, 6 * HOUR, 30, "critical", "6h", 10, step=5),
    *budget(1, 3 * DAY, 6 * HOUR, "warning", "3d", 20, step=10),
    *down(),
    *accuracy("critical", 0.7),
    *accuracy("warning", 0.75),
    *flag("HeartModelDrift", "heartops_drift_detected"),
    *flag("HeartModelRetrainingFailed", "heartops_retraining_failed"),
    *overdue("info", 1),
    *overdue("warning", 24),
    *log_rate("HeartModelPredictionLogDropping", "prediction_log_dropped_total", reason="queue_full"),
    *log_rate("HeartModelPredictionLogUnavailable", "prediction_log_write_errors_total"),
    *deployed(),
    *retrained(),
]


def no_key() -> list[Scenario]:
    def scenario(
        name: str, *pods: str, fires: Sequence[int] = (), silent: Sequence[int] = (), **labels: str
    ) -> Scenario:
        series = [
            {"series": selector("caller_keys", pod=str(i), **labels), "values": values} for i, values in enumerate(pods)
        ]
        return Scenario(name, "HeartModelAdmitsNobody", "warning", series, fires, silent)

    return [
        scenario("no pod has a key", "0x60", "0x60", fires=(20, 60), silent=(5, 9)),
        scenario("a pod has read the new key", "0x60", "0x30 1x30", fires=(25,), silent=(40,)),
        scenario("there are keys", "2x60", silent=(20, 60)),
        scenario("a new pod has not read its keys yet", "2x60", "0x60", silent=(20, 60)),
        scenario("nothing is measured", silent=(20, 60)),
        scenario("another model", "0x60", silent=(20, 60), model_name="lungs"),
        scenario("the same name elsewhere", "0x60", silent=(20, 60), namespace="ward"),
    ]


OF_A_GUARDED_MODEL = no_key()
OF_A_REGRESSION = [*regression_error("critical", 6.0), *regression_error("warning", 4.0)]


def title(scenario: Scenario) -> str:
    parts = (scenario.alert, scenario.severity, *scenario.labels.values(), scenario.name)
    return "-".join(parts).replace(" ", "_")


def built(model: HeartModel) -> dict[str, Any]:
    """The rules of a model as a rule file."""
    found: dict[str, Any] = build_prometheus_rule(model, PROFILE)["spec"]
    return found


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alerts") / "rules.yaml"
    path.write_text(yaml.safe_dump(built(MODEL)))
    return path


@pytest.fixture(scope="module")
def regression_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alerts") / "regression.yaml"
    path.write_text(yaml.safe_dump(built(REGRESSION)))
    return path


@pytest.fixture(scope="module")
def guarded_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alerts") / "guarded.yaml"
    path.write_text(yaml.safe_dump(built(GUARDED)))
    return path


@pytest.fixture(scope="module")
def chart_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The alerts of an installation in the namespace `ops`."""
    (manifest,) = yaml.safe_load_all(rendered())
    path = tmp_path_factory.mktemp("alerts") / "chart.yaml"
    path.write_text(yaml.safe_dump(manifest["spec"]))
    return path


def rendered(*options: str) -> str:
    shown = ("--set", "monitoring.serviceMonitor=true", "--show-only", "templates/alerts.yaml", *options)
    command = ("helm", "template", "heartops", str(ROOT / "charts/heartops"), "--namespace", "ops", *shown)
    return subprocess.run((*command, "--kube-version", "1.34"), capture_output=True, text=True, check=True).stdout


def chart_objects() -> list[dict[str, Any]]:
    options = ("--set", "predictionLog.separateServer=true", "--kube-version", "1.34")
    command = ("helm", "template", "heartops", str(ROOT / "charts/heartops"), "--namespace", "ops", *options)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [item for item in yaml.safe_load_all(text) if item]


def promtool(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((str(tools / "promtool"), *arguments), capture_output=True, text=True, check=False)


def run(tools: Path, rules: Path, folder: Path, test: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path = folder / "test.yaml"
    files = {"rule_files": [str(rules)], "evaluation_interval": test["interval"], "tests": [test]}
    path.write_text(yaml.safe_dump(files))
    return promtool(tools, "test", "rules", str(path))


def expectation(scenario: Scenario, minute: int, fires: bool) -> dict[str, Any]:
    """Whether Prometheus' own ALERTS series says that it fires."""
    labels = {
        "alertname": scenario.alert,
        "severity": scenario.severity,
        "namespace": "clinic",
        "model_name": "heart",
        **scenario.labels,
    }
    matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
    samples = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "expr": f'count(ALERTS{{{matchers},alertstate="firing"}})',
        "eval_time": f"{minute}m",
        "exp_samples": samples,
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
def test_fires_when_it_should(tools, rules, tmp_path, scenario):
    check(tools, rules, tmp_path, scenario)


@pytest.mark.parametrize("scenario", OF_A_REGRESSION, ids=title)
def test_fires_when_a_regression_is_too_far_off(tools, regression_rules, tmp_path, scenario):
    check(tools, regression_rules, tmp_path, scenario)


@pytest.mark.parametrize("scenario", OF_A_GUARDED_MODEL, ids=title)
def test_fires_when_nobody_is_admitted(tools, guarded_rules, tmp_path, scenario):
    check(tools, guarded_rules, tmp_path, scenario)


def check(tools: Path, rules: Path, tmp_path: Path, scenario: Scenario) -> None:
    expected = [expectation(scenario, minute, True) for minute in scenario.fires]
    expected += [expectation(scenario, minute, False) for minute in scenario.silent]
    test = {"interval": f"{scenario.step}m", "input_series": list(scenario.series), "promql_expr_test": expected}
    done = run(tools, rules, tmp_path, test)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_seven_scenarios():
    known = {
        (rule["alert"], rule["labels"]["severity"], rule["labels"].get("window"))
        for model in (MODEL, REGRESSION, GUARDED)
        for rule in alerts_of(built(model))
    }
    counts = dict.fromkeys(known, 0)
    for scenario in (*SCENARIOS, *OF_A_REGRESSION, *OF_A_GUARDED_MODEL):
        counts[scenario.alert, scenario.severity, scenario.labels.get("window")] += 1
    assert min(counts.values()) >= 7, counts


def alerts_of(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("file", ["rules", "regression_rules", "chart_rules"])
def test_prometheus_accepts_the_rules(tools, request, file):
    done = promtool(tools, "check", "rules", str(request.getfixturevalue(file)))
    assert done.returncode == 0, done.stdout + done.stderr


def volume(metric: str, values: str, claim: str = "data-heartops-postgresql-0") -> Series:
    labels = f'namespace="ops",persistentvolumeclaim="{claim}"'
    return {"series": f"kubelet_volume_stats_{metric}_bytes{{{labels}}}", "values": values}


def waiting(values: str) -> Series:
    return {"series": 'heartops_events_waiting{namespace="ops",pod="a"}', "values": values}


def pg_up(values: str, service: str = "heartops-postgresql") -> Series:
    return {"series": f'pg_up{{namespace="ops",service="{service}"}}', "values": values}


def blocked(values: str, cause: str = "ImagePull", **labels: str) -> Series:
    found = {"namespace": "clinic", "kind": "Job", "name": "heart-train", "cause": cause} | labels
    pairs = ",".join(f'{name}="{value}"' for name, value in found.items())
    return {"series": f"heartops_blocked_workloads{{{pairs}}}", "values": values}


@pytest.mark.parametrize(
    ("alert", "severity", "series", "fires"),
    [
        ("HeartModelBlocked", "warning", [blocked("1x60", model="heart")], True),
        ("HeartModelBlocked", "warning", [blocked("_x32 1x60", model="heart")], False),  # for eight minutes only
        ("HeartModelBlocked", "warning", [blocked("1x20 stale _x40", model="heart")], False),
        ("HeartModelBlocked", "warning", [blocked("1x60", "Queued", model="heart")], False),  # Kueue has no room
        ("HeartModelBlocked", "warning", [blocked("1x60")], False),  # of the installation
        ("HeartOpsBlocked", "critical", [blocked("1x60")], True),
        ("HeartOpsBlocked", "critical", [blocked("1x20 stale _x40")], False),
        ("HeartOpsBlocked", "critical", [blocked("1x60", model="heart")], False),
        ("HeartOpsOperatorDown", "critical", [], True),
        (
            "HeartOpsOperatorDown",
            "critical",
            [{"series": 'heartops_is_leader{namespace="ops"}', "values": "0x60"}],
            True,
        ),
        (
            "HeartOpsOperatorDown",
            "critical",
            [{"series": 'heartops_is_leader{namespace="ops"}', "values": "1x60"}],
            False,
        ),
        (
            "HeartOpsRegistryUnavailable",
            "warning",
            [{"series": 'heartops_registry_available{namespace="ops",server="m"}', "values": "0x60"}],
            True,
        ),
        (
            "HeartOpsRegistryUnavailable",
            "warning",
            [{"series": 'heartops_registry_available{namespace="ops",server="m"}', "values": "1x60"}],
            False,
        ),
        ("HeartOpsEventsUndelivered", "warning", [waiting("3x60")], True),
        ("HeartOpsEventsUndelivered", "warning", [waiting("0x60")], False),
        ("HeartOpsEventsUndelivered", "warning", [waiting("3x20 0x5 3x40")], False),  # for fifteen minutes
        ("HeartOpsEventsUndelivered", "warning", [], False),
        ("HeartOpsDatabaseDown", "critical", [], True),
        ("HeartOpsDatabaseDown", "critical", [pg_up("0x60")], True),
        ("HeartOpsDatabaseDown", "critical", [pg_up("1x60")], False),
        ("HeartOpsDatabaseDown", "critical", [pg_up("1x20 0x3 1x40")], False),
        ("HeartOpsDatabaseDown", "critical", [pg_up("1x20 stale _x40")], True),
        ("HeartOpsDatabaseDown", "critical", [pg_up("1x60", "other-postgresql")], True),
        ("HeartOpsVolumeFillingUp", "critical", [volume("available", "4x60"), volume("capacity", "100x60")], True),
        ("HeartOpsVolumeFillingUp", "critical", [volume("available", "10x60"), volume("capacity", "100x60")], False),
        ("HeartOpsVolumeFillingUp", "warning", [volume("available", "10x60"), volume("capacity", "100x60")], True),
        (
            "HeartOpsVolumeFillingUp",
            "warning",
            [volume("available", "1x60", "data-other-0"), volume("capacity", "100x60", "data-other-0")],
            False,
        ),
    ],
)
def test_the_installations_alerts(tools, chart_rules, tmp_path, alert, severity, series, fires):
    expression = f'count(ALERTS{{alertname="{alert}",severity="{severity}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    expected = [{"expr": expression, "eval_time": "40m", "exp_samples": samples}]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": expected}
    done = run(tools, chart_rules, tmp_path, test)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_database_of_the_chart_is_watched_by_name():
    def watched(*options: str) -> list[str]:
        chart = next(yaml.safe_load_all(rendered(*options)))["spec"]
        return [r["labels"]["service"] for r in alerts_of(chart) if r["alert"] == "HeartOpsDatabaseDown"]

    assert watched() == ["heartops-postgresql"]
    names = {item["metadata"]["name"] for item in chart_objects() if item["kind"] == "Service"}
    assert {"heartops-postgresql", "heartops-log-postgresql"} <= names, "Prometheus' label `service` is its name"
    assert watched("--set", "predictionLog.separateServer=true") == ["heartops-postgresql", "heartops-log-postgresql"]
    assert watched("--set", "postgresql.metrics.enabled=false") == []


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    chart = next(yaml.safe_load_all(rendered()))["spec"]
    models = (MODEL, REGRESSION, GUARDED)
    found = [*(rule for model in models for rule in alerts_of(built(model))), *alerts_of(chart)]
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("Heart*.md")}
    assert {rule["alert"] for rule in found} == pages
    assert all(rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md" for rule in found)
    index = (ROOT / "docs/runbooks/README.md").read_text()
    for rule in found:
        severity = rule["labels"]["severity"]
        (row,) = [line for line in index.splitlines() if line.startswith(f"| [{rule['alert']}]")]
        assert severity in row
        assert f"Severity: {row.split('|')[2].strip()}." in (ROOT / f"docs/runbooks/{rule['alert']}.md").read_text()


def test_alerts_link_to_where_the_runbooks_are_published():
    base = "https://wiki.example.org/runbooks"
    profile = PROFILE.model_copy(update={"runbook_url": f"{base}/"})
    chart = next(yaml.safe_load_all(rendered("--set", f"monitoring.runbookUrl={base}")))["spec"]
    for rule in (*alerts_of(build_prometheus_rule(MODEL, profile)["spec"]), *alerts_of(chart)):
        assert rule["annotations"]["runbook_url"] == f"{base}/{rule['alert']}.md"


def test_the_routing_example_names_its_receivers_and_every_severity():
    example = yaml.safe_load((ROOT / "docs/runbooks/alertmanager.yml").read_text())
    routes = [example["route"], *example["route"]["routes"]]
    assert {route["receiver"] for route in routes} == {receiver["name"] for receiver in example["receivers"]}
    text = json.dumps(routes)
    assert all(f'severity = \\"{severity}\\"' in text for severity in ("critical", "info"))


def test_every_alert_of_a_model_names_it_as_routes_and_inhibitions_expect():
    """A label that one of two alerts lacks is not equal, and the inhibition would be without effect."""
    chart = next(yaml.safe_load_all(rendered()))["spec"]
    models = [rule for model in (MODEL, REGRESSION, GUARDED) for rule in alerts_of(built(model))]
    found = [*models, *(rule for rule in alerts_of(chart) if rule["alert"].startswith("HeartModel"))]
    assert {rule["labels"].get("model_name") for rule in found} == {"heart", "{{ $labels.model }}"}


@pytest.mark.parametrize(
    ("alert", "minute", "series", "words"),
    [
        ("HeartModelErrorRate", 20, replies((60, 0.08)), "8% of the responses"),
        ("HeartModelLatency", 20, predictions(0.2, 1.0), "latency is 2.125s"),
        ("HeartModelDown", 10, [], "not reached a ready pod for 5 minutes"),
        ("HeartModelDrift", 10, [schedule_series("heartops_drift_detected", "1x60")], "describe rts nightly"),
    ],
)
def test_the_text_says_what_happened(tools, rules, tmp_path, alert, minute, series, words):
    """promtool prints the alerts that it got when another was expected."""
    test = {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": []}],
    }
    said = run(tools, rules, tmp_path, test).stderr
    assert "HeartModel clinic/heart" in said
    assert words in said
