"""The end of the demo: the model's row, the gate's figures, three predictions, and where to look next."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hack.cluster.report import Problem
from hack.demo.data import Source
from hack.demo.place import EXAMPLE, MODEL, NAMESPACE, RELEASE, ROOT, SYSTEM, Place

REQUESTS = EXAMPLE / "requests" / "predict.json"
BREAK = json.dumps(
    {
        "spec": {
            "training": {"algorithms": ["logistic-regression"]},
            "gates": {"checks": [{"metric": "roc_auc", "min": 0.99}]},
        }
    }
)
"""Trained quickly, and refused: the merge patch replaces the gate's checks."""


def tell(place: Place, source: Source) -> None:
    """Print all of it on stdout."""
    model = place.get("heartmodel", MODEL, "-n", NAMESPACE)
    print("\n$ kubectl get heartmodels --all-namespaces")
    print(place.kubectl("get", "heartmodels", "--all-namespaces").rstrip())
    print(f"\nData: {source.words}")
    print("\nThe gate's figures, out of fold:")
    for line in figures(model):
        print(f"  {line}")
    patients = json.loads(REQUESTS.read_text())
    print(f"\nThree made-up patients, through the Service {NAMESPACE}/{MODEL}:")
    for patient, answer in zip(patients, predict(place, patients), strict=True):
        print(f"  {describe(patient)}  →  {reading(answer)}")
    print(how_to_go_on(place))


def figures(model: dict[str, Any]) -> list[str]:
    """Each check of the gate, as the condition tells it."""
    conditions = {each["type"]: each for each in model["status"]["conditions"]}
    return conditions["GatePassed"]["message"].partition(": ")[2].split("; ")


def predict(place: Place, patients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The Service's answers, by way of the API server."""
    with api_proxy(place) as address:
        request = urllib.request.Request(
            f"{address}/api/v1/namespaces/{NAMESPACE}/services/{MODEL}:http/proxy/predict",
            data=json.dumps(patients).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answers(json.load(answer))
        except urllib.error.URLError as error:
            detail = error.read().decode(errors="replace")[:300] if isinstance(error, urllib.error.HTTPError) else ""
            raise Problem(f"The Service {NAMESPACE}/{MODEL} did not answer: {error} {detail}") from None


def answers(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer per record, each with what they have in common (version, request id)."""
    common = {key: value for key, value in body.items() if key != "predictions"}
    return [each | common for each in body["predictions"]]


@contextmanager
def api_proxy(place: Place) -> Iterator[str]:
    """`kubectl proxy` on a free port of the loopback interface."""
    process = place.open("proxy", "--port=0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "Starting to serve on" not in line:
            raise Problem(f"`kubectl proxy` did not start: {line.strip()}")
        yield f"http://{line.split()[-1]}"
    finally:
        process.terminate()
        process.wait()


def describe(patient: dict[str, Any]) -> str:
    sex = "man" if patient["sex"] == 1 else "woman"
    scan = "" if patient["thal"] is not None else ", no scan"
    return f"{sex} of {patient['age']}, pressure {patient['trestbps']}, cholesterol {patient['chol']}{scan}".ljust(58)


def reading(answer: dict[str, Any]) -> str:
    return f"{answer['label']}; probability of disease {answer['probability']:.2f} (version {answer['model_version']})"


def how_to_go_on(place: Place) -> str:
    """What to type next; .venv has the plugin, and the cluster tool its own kubectl."""
    where = f"{MODEL} -n {NAMESPACE}"
    return f"""
Go on:
  export KUBECONFIG={place.kubeconfig} PATH={Path(place.kubectl_path).parent}:{ROOT}/.venv/bin:$PATH
  kubectl heart status {where} -w
  kubectl heart predict {where} -f {REQUESTS}
  The API's pages:                   kubectl -n {NAMESPACE} port-forward service/{MODEL} 8080:80
                                     then http://localhost:8080/docs
  MLflow (runs, plots, model card):  kubectl -n {SYSTEM} port-forward service/{RELEASE}-mlflow 5000:5000
                                     then http://localhost:5000

Break it: ask for more than any model can deliver, and see version 2 rejected while version 1 goes on serving.
  kubectl -n {NAMESPACE} patch heartmodel {MODEL} --type merge --patch '{BREAK}'
  kubectl heart status {where} -w
Lower the gate and version 2 is judged again; then let it through, and take it back (README.md, «Break it on purpose»).
  kubectl heart history {where}      tells who served, who was rejected, and why

Remove all of it:  make demo-down"""
