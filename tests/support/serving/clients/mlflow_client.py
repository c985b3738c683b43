"""MLflow's clients: mlflow_client.py HTTP_PORT GRPC_PORT RECORDS. Prints probabilities by case, as JSON."""

import json
import sys

import pandas as pd
import requests
from mlflow.deployments import PredictionsResponse, get_deploy_client
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

http_port, _, records = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
frame = pd.DataFrame(records).assign(note="surplus")
client = ScoringServerClient("127.0.0.1", int(http_port))
client.ping()
found = {"frame": client.invoke(frame, params={"unused": 1}).get_predictions()["probability"].tolist()}
deployed = get_deploy_client(f"http://127.0.0.1:{http_port}")
answer = deployed.predict(endpoint="heart", inputs={"dataframe_records": records})
found["deployment"] = [each["probability"] for each in answer["predictions"]]
reply = requests.post(
    f"http://127.0.0.1:{http_port}/invocations",
    frame.to_csv(index=False),
    headers={"Content-Type": "text/csv"},
    timeout=30,
)
found["csv"] = PredictionsResponse.from_json(reply.text).get_predictions()["probability"].tolist()
print(json.dumps(found))
