"""Records in Kaggle's coding are answered by the model of that coding, with numbers or names, and by no other."""

import json

import pytest

from tests.e2e.kit import ROOT, Model, declare, example

pytestmark = pytest.mark.timeout(600)

PATIENTS = json.loads((ROOT / "examples/heart-kaggle/requests/predict.json").read_text())


@pytest.fixture(scope="module")
def kaggle(namespace: str) -> Model:
    manifest = example("heart-kaggle", namespace)
    manifest["spec"]["serving"] = {"replicas": 1}
    model = declare(manifest)
    model.wait_serving("1", 300)
    return model


def test_each_patient_gets_an_answer(kaggle: Model, proxy: str) -> None:
    answers = kaggle.predict(proxy, PATIENTS).raise_for_status().json()["predictions"]
    assert len(answers) == len(PATIENTS)
    assert {answer["label"] for answer in answers} <= {"disease", "no disease"}
    assert answers[2]["label"] == "disease", "no pain, three signs of ischaemia: the positive class is disease"


def test_each_patient_alone_too(kaggle: Model, proxy: str) -> None:
    for patient in PATIENTS:
        kaggle.predict(proxy, patient).raise_for_status()


def test_names_mean_the_same_as_numbers(kaggle: Model, proxy: str) -> None:
    named = PATIENTS[0] | {
        "cp": "typical angina",
        "restecg": "left ventricular hypertrophy",
        "slope": "downsloping",
        "thal": "fixed defect",
    }
    by_number, by_name = kaggle.predict(proxy, [PATIENTS[0], named]).raise_for_status().json()["predictions"]
    assert by_name["probability"] == pytest.approx(by_number["probability"])


def test_a_record_in_the_coding_of_uci_is_rejected_by_name(kaggle: Model, proxy: str) -> None:
    answer = kaggle.predict(proxy, PATIENTS[0] | {"cp": 4, "slope": 3, "thal": 6})
    assert answer.status_code == 422
    assert all(name in answer.text for name in ("cp", "slope", "thal"))
