"""The end of the demo: the model's row, the gate's figures, three predictions, and what to try next."""

import json
from pathlib import Path
from typing import Any

from hack.demo.data import Source
from hack.demo.place import EXAMPLE, MODEL, NAMESPACE, ROOT, SYSTEM, WHERE, Place

REQUESTS = EXAMPLE / "requests" / "predict.json"
BREAK = json.dumps(
    {
        "spec": {
            "training": {"algorithms": ["logistic-regression"]},
            "gates": {"checks": [{"metric": "roc_auc", "min": 0.99}]},
        }
    }
)
"""Trained quickly, and rejected: the merge patch replaces the gate's checks."""


def show(place: Place, source: Source) -> None:
    """Print all of it on stdout."""
    model = place.get("heartmodel", MODEL, "-n", NAMESPACE)
    print("\n$ kubectl get heartmodels --all-namespaces")
    print(place.kubectl("get", "heartmodels", "--all-namespaces").rstrip())
    print(f"\nData: {source.description}")
    print("\nThe gate's figures, out of fold:")
    for line in figures(model):
        print(f"  {line}")
    patients = json.loads(REQUESTS.read_text())
    print(f"\nThree made-up patients, through the Service {NAMESPACE}/{MODEL}:")
    for patient, answer in zip(patients, predict(place), strict=True):
        print(f"  {describe(patient)}  →  {reading(answer)}")
    print(next_steps(place))


def figures(model: dict[str, Any]) -> list[str]:
    """Each check of the gate, from the condition's message."""
    conditions = {each["type"]: each for each in model["status"]["conditions"]}
    return conditions["GatePassed"]["message"].partition(": ")[2].split("; ")


def predict(place: Place) -> list[dict[str, Any]]:
    """The responses of the model's Service, through `kubectl heart predict`."""
    return answers(json.loads(place.heart("predict", *WHERE.split(), "-f", REQUESTS)))


def answers(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer per record, each with what they have in common (version, request id)."""
    common = {key: value for key, value in body.items() if key != "predictions"}
    return [each | common for each in body["predictions"]]


def describe(patient: dict[str, Any]) -> str:
    sex = "man" if patient["sex"] == 1 else "woman"
    scan = "" if patient["thal"] is not None else ", no scan"
    return f"{sex} of {patient['age']}, pressure {patient['trestbps']}, cholesterol {patient['chol']}{scan}".ljust(58)


def reading(answer: dict[str, Any]) -> str:
    return f"{answer['label']}; probability of disease {answer['probability']:.2f} (version {answer['model_version']})"


def next_steps(place: Place) -> str:
    """Commands to try; .venv has the plugin, and the cluster tool its own kubectl."""
    return f"""
Next:
  export KUBECONFIG={place.kubeconfig} PATH={Path(place.kubectl_path).parent}:{ROOT}/.venv/bin:$PATH
  kubectl heart status {WHERE} -w
  kubectl heart predict {WHERE} -f {REQUESTS}
  kubectl heart load {WHERE} --requests 1000
  The API's pages:                   kubectl -n {NAMESPACE} port-forward service/{MODEL} 8080:80
                                     then http://localhost:8080/docs
  MLflow (runs, plots, model card):  kubectl heart mlflow -n {NAMESPACE} --system-namespace {SYSTEM}
                                     then http://localhost:5000

Break it: ask for more than any model can deliver, and see the next version rejected while this one keeps serving.
  kubectl -n {NAMESPACE} patch heartmodel {MODEL} --type merge --patch '{BREAK}'
  kubectl heart status {WHERE} -w
Lower the gate and it is judged again; send requests, and its rollout runs (README.md, "Break it on purpose").
  kubectl heart history {WHERE}      shows what served, what was rejected, and why

Remove all of it:  make demo-down"""
