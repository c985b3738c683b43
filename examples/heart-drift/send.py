"""Send patients of the synthetic cohort to a model, and afterwards what became of them.

    .venv/bin/python examples/heart-drift/send.py --shift 1 --url http://localhost:8080

`--shift`: standard deviations by which age, blood pressure, cholesterol and heart rate move.
"""

import argparse
import json
import time
from typing import Any

import httpx

from heart_trainer.data.sources.cohort import heart_cohort

BOOLEANS = ("fbs", "exang")


def post(url: str, body: Any) -> Any:
    return httpx.post(url, json=body, timeout=30).raise_for_status().json()


def patients(rows: int, shift: float, seed: int) -> list[dict[str, Any]]:
    """Records of the contract with their outcome, `num`."""
    found = json.loads(heart_cohort(rows, seed, shift).to_json(orient="records"))
    return [record | {name: bool(record[name]) for name in BOOLEANS} for record in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8080", help="the model")
    parser.add_argument("--shift", type=float, default=0.0, help="standard deviations")
    parser.add_argument("--rows", type=int, default=20, help="patients at a time")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between")
    options = parser.parse_args()
    seed = 0
    while True:
        seed += 1
        found = patients(options.rows, options.shift, seed)
        outcomes = [record.pop("num") for record in found]
        answer = post(f"{options.url}/predict", found)
        given = {"request_id": answer["request_id"], "proof": answer["proof"]}
        told = [
            given | {"row": row, "outcome": "disease" if num > 0 else "no disease"} for row, num in enumerate(outcomes)
        ]
        post(f"{options.url}/feedback", told)
        print(f"{len(found)} patients, answered by version {answer['model_version']}")
        time.sleep(options.every)


if __name__ == "__main__":
    main()
