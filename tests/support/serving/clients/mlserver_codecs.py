"""MLServer's codecs: mlserver_codecs.py HTTP_PORT GRPC_PORT RECORDS. Prints probabilities by case, as JSON."""

import json
import sys
import urllib.request
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

http_port, _, records = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
URL = f"http://127.0.0.1:{http_port}/v2/models/heart/infer"


def infer(request: InferenceRequest) -> InferenceResponse:
    body = request.model_dump_json(exclude_none=True).encode()
    sent = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent) as response:
        return InferenceResponse.model_validate_json(response.read())


def probabilities(response: InferenceResponse) -> list[float]:
    output = next(output for output in response.outputs if output.name == "probabilities")
    found: list[float] = NumpyCodec.decode_output(output)[:, 1].tolist()
    return found


frame = pd.DataFrame(records)
found: dict[str, Any] = {"pandas": probabilities(infer(PandasCodec.encode_request(frame)))}
columns = [
    StringCodec.encode_input(name, frame[name].tolist())
    if frame[name].dtype.kind not in "ifb"
    else NumpyCodec.encode_input(name, frame[name].to_numpy())
    for name in frame
]
found["columns"] = probabilities(infer(InferenceRequest(inputs=columns)))
labels = next(output for output in infer(InferenceRequest(inputs=columns)).outputs if output.name == "label")
assert set(StringCodec.decode_output(labels)) <= {"no disease", "disease"}
assert NumpyRequestCodec.encode_request(np.zeros((1, 5))).inputs[0].datatype == "FP64"
print(json.dumps(found))
