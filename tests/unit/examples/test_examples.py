"""Every example is a HeartModel that the types accept, with data and requests that its own contract accepts."""

import csv
import hashlib
import io
import json
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
import yaml

from heart_api.contract import Feature
from heart_api.federationsite import FederationSiteSpec
from heart_api.handover import DataAccess
from heart_api.heartmodel import HeartModel, HeartModelSpec
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_operator.plan.claims import addresses
from heart_operator.plan.schedule.cron import next_scheduled_time
from heart_trainer.data.sources import builtin
from heart_trainer.data.sources.cohort import KAGGLE, heart_cohort, in_kaggle_coding
from tests.support.real_data import CALIFORNIA, CLEVELAND, real_file

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/heartmodel.yaml"))
FILES = {"heart-disease": CLEVELAND, "housing": CALIFORNIA}


def manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "examples" / name / "heartmodel.yaml").read_text())


def spec(name: str) -> HeartModelSpec:
    return HeartModelSpec.model_validate(manifest(name)["spec"])


def breaks(feature: Feature, value: Any) -> str:
    """What is wrong with a value, in words; empty when it fits the contract."""
    if value is None:
        return "is missing" if feature.required else ""
    if feature.type == "boolean":
        return "" if value in (0, 1) else "is no boolean"
    if feature.type == "category":
        return "" if value in (feature.values or ()) else "is no known category"
    if feature.type == "integer" and value != int(value):
        return "is no integer"
    low, high = feature.minimum, feature.maximum
    return "" if (low is None or low <= value) and (high is None or value <= high) else "is out of range"


def test_the_examples_are_there() -> None:
    assert EXAMPLES == ["health-risk", "heart-disease", "heart-drift", "heart-kaggle", "housing", "iris"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_contract_names_columns_that_the_file_has(name: str) -> None:
    found = spec(name)
    features = [feature.name for feature in found.features]
    assert len(set(features)) == len(features)
    assert found.target.name not in features
    if found.dataset and found.dataset.columns:
        assert {*features, found.target.name} == set(found.dataset.columns)


@pytest.mark.parametrize("name", EXAMPLES)
def test_slices_of_gates_are_sensitive_features(name: str) -> None:
    found = spec(name)
    sensitive = {feature.name for feature in found.features if feature.sensitive}
    sites = {"site"} if found.federation else set()
    assert {check.slice for check in found.gates.checks if check.slice} <= sensitive | sites


@pytest.mark.parametrize("name", EXAMPLES)
def test_requests_fit_the_contract(name: str) -> None:
    features = {feature.name: feature for feature in spec(name).features}
    records = json.loads((ROOT / "examples" / name / "requests" / "predict.json").read_text())
    assert len(records) == 3
    for record in records:
        assert set(record) == set(features)
        assert {key: problem for key, value in record.items() if (problem := breaks(features[key], value))} == {}


def test_the_recipe_of_kaggles_coding_is_that_of_the_built_in_cohort() -> None:
    """A reader runs the recipe by itself, so it holds the codes a second time."""
    recipe = runpy.run_path(str(ROOT / "examples" / "heart-kaggle" / "recode.py"))
    patients = heart_cohort(rows=500, seed=1)
    cells = patients.to_csv(index=False, header=False).splitlines()
    made = list(recipe["recode"](csv.reader(cells)))
    expected = in_kaggle_coding(patients)
    assert recipe["COLUMNS"] == list(expected.columns)
    assert [list(map(float, row)) for row in made] == expected.astype(float).to_numpy().tolist()
    assert {name: set(found) for name, found in KAGGLE.items()} == {
        name: {int(code) for code in codes if code != "?"} for name, codes in recipe["CODES"].items() if name in KAGGLE
    }


@pytest.mark.parametrize("suffix", ["", "-gateway"])
def test_models_under_one_host_have_addresses_of_their_own(suffix: str) -> None:
    found: list[str] = []
    for name in ("iris", "housing"):
        patch = yaml.safe_load((ROOT / "examples/one-host" / f"{name}{suffix}.yaml").read_text())
        resource = manifest(name)
        resource["spec"]["serving"] |= patch["spec"]["serving"]
        spec = HeartModelSpec.model_validate(resource["spec"])
        model = HeartModel(namespace="shop", name=name, uid="u", spec=spec)
        found += addresses(model)
    assert [address.split(" ")[0] for address in found] == [
        f"models.example.org/predict/{name}/" for name in ("iris", "housing")
    ]


def test_the_examples_declared_missing_values_occur_in_its_own_data() -> None:
    """What is declared in vain is a finding, which would puzzle a newcomer."""
    found = spec("heart-kaggle")
    assert found.dataset
    address = urlsplit(found.dataset.uri)
    cohort = pd.read_csv(io.BytesIO(builtin.read(address, DataAccess())))
    for feature in found.features:
        for value in feature.missing_values:
            assert (cohort[feature.name].astype(str) == str(value)).any(), feature.name


@pytest.mark.real_data
@pytest.mark.parametrize("name", FILES)
def test_the_real_file_keeps_the_contract(name: str) -> None:
    path = real_file(FILES[name])
    found = spec(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == found.dataset.sha256
    broken: set[tuple[str, str]] = set()
    with path.open() as lines:
        for row in csv.DictReader(lines, fieldnames=found.dataset.columns):
            for feature in found.features:
                text = row[feature.name]
                value = None if text in found.dataset.missing_values else float(text)
                if problem := breaks(feature, value):
                    broken.add((feature.name, problem))
    assert broken == set()


@pytest.mark.real_data
def test_made_up_patients_are_nobody_of_the_file() -> None:
    path = real_file(CLEVELAND)
    columns = [feature.name for feature in spec("heart-disease").features]
    with path.open() as lines:
        patients = {tuple(row[:6]) for row in csv.reader(lines)}
    for record in json.loads((ROOT / "examples/heart-disease/requests/predict.json").read_text()):
        assert tuple(str(float(record[column])) for column in columns[:6]) not in patients


def test_the_schedule_is_of_the_model_beside_it() -> None:
    folder = ROOT / "examples" / "heart-drift"
    resource = yaml.safe_load((folder / "retrainschedule.yaml").read_text())
    schedule, model = RetrainScheduleSpec.model_validate(resource["spec"]), manifest("heart-drift")
    assert schedule.model_name == model["metadata"]["name"]
    assert resource["metadata"]["namespace"] == model["metadata"]["namespace"]
    assert spec("heart-drift").serving.prediction_log.sink == "PostgreSQL"
    assert next_scheduled_time(schedule.schedule or "", schedule.time_zone, datetime(2026, 11, 21, tzinfo=UTC))


def test_the_heart_example_is_retrained_weekly_and_when_patients_or_quality_change() -> None:
    folder = ROOT / "examples" / "heart-disease"
    resource, model = yaml.safe_load((folder / "retrainschedule.yaml").read_text()), manifest("heart-disease")
    schedule = RetrainScheduleSpec.model_validate(resource["spec"])
    assert schedule.model_name == model["metadata"]["name"]
    assert resource["metadata"]["namespace"] == model["metadata"]["namespace"]
    assert schedule.schedule == "0 3 * * 0"
    assert schedule.drift
    assert schedule.performance
    assert (schedule.drift.schedule, schedule.drift.threshold) == ("0 */6 * * *", 0.5)
    assert (schedule.performance.metric, schedule.performance.below) == ("accuracy", 0.75)
    assert spec("heart-disease").serving.prediction_log.sink == "PostgreSQL", "checks read the prediction log"


def test_a_folder_of_an_example_can_be_applied_as_it_is() -> None:
    """`kubectl apply -f FOLDER` takes .json and .yaml in the order of their names: the namespace must come first."""
    for name in EXAMPLES:
        folder = ROOT / "examples" / name
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".yaml", ".yml"))
        documents = [document for path in paths for document in yaml.safe_load_all(path.read_text())]
        assert all("apiVersion" in document for document in documents)
        kinds = [document["kind"] for document in documents]
        assert "Namespace" not in kinds[kinds.index("HeartModel") :]


def documents(name: str, file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "examples" / name / file).read_text()))


def test_every_hospital_consents_to_the_model_that_names_it_and_has_what_it_asks_for() -> None:
    """Names, namespaces, columns and bounds of examples/health-risk: nothing is refused when it is applied."""
    found = spec("health-risk")
    assert found.federation
    sites = documents("health-risk", "sites.yaml")
    assert {f"{site['metadata']['namespace']}/{site['metadata']['name']}" for site in sites} == set(
        found.federation.sites or ()
    )
    for resource in sites:
        site = FederationSiteSpec.model_validate(resource["spec"])
        assert [entry.model for entry in site.allow] == ["clinic/health-risk"]
        assert site.dataset
        rows = pd.read_csv(io.BytesIO(builtin.read(urlsplit(site.dataset.uri), DataAccess())))
        assert len(rows) >= site.minimum_rows
        for feature in found.features:
            values = [None if pd.isna(value) else value for value in rows[feature.name]]
            assert not [value for value in values if breaks(feature, value)], feature.name


def test_the_readme_sends_what_the_request_has() -> None:
    text = (ROOT / "examples/health-risk/README.md").read_text()
    sent = json.loads(text.partition("-d '")[2].partition("'")[0])
    assert sent == json.loads((ROOT / "examples/health-risk/requests/predict.json").read_text())[0]


def test_the_weekly_schedule_is_of_the_federated_model() -> None:
    (resource,) = documents("health-risk", "retrainschedule.yaml")
    schedule = RetrainScheduleSpec.model_validate(resource["spec"])
    assert (schedule.model_name, schedule.schedule) == ("health-risk", "0 3 * * 0")
    assert schedule.drift
    assert (schedule.drift.schedule, schedule.drift.threshold) == ("0 */6 * * *", 0.5)
