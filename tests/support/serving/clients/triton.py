"""tritonclient over HTTP and gRPC: triton.py HTTP_PORT GRPC_PORT RECORDS. Prints probabilities by case, as JSON."""

import itertools
import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

http_port, grpc_port, records = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
NUMPY: dict[str, Any] = {"FP32": np.float32, "INT64": np.int64, "BYTES": np.object_, "BOOL": np.bool_}
found: dict[str, Any] = {}


def arrays(inputs: list[tuple[str, str]]) -> dict[str, Any]:
    return {name: np.array([record[name] for record in records], NUMPY[kind]) for name, kind in inputs}


client = over_http.InferenceServerClient(f"127.0.0.1:{http_port}")
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("heart")
metadata = client.get_model_metadata("heart")
values = arrays([(item["name"], item["datatype"]) for item in metadata["inputs"]])
assert client.get_model_config("heart")["name"] == "heart"
assert client.get_model_repository_index()[0]["state"] == "READY"
for binary_in, binary_out, packed in itertools.product((True, False), (True, False), (None, "gzip", "deflate")):
    inputs = []
    for name, array in values.items():
        tensor = over_http.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array, binary_data=binary_in)
        inputs.append(tensor)
    outputs = [over_http.InferRequestedOutput("probabilities", binary_data=binary_out)]
    answer = client.infer(
        "heart", inputs, outputs=outputs, request_compression_algorithm=packed, response_compression_algorithm=packed
    )
    found[f"http {binary_in} {binary_out} {packed}"] = answer.as_numpy("probabilities")[:, 1].tolist()
assert client.get_inference_statistics("heart")["model_stats"][0]["execution_count"] >= 12
for change in (client.load_model, client.unload_model):
    try:
        change("heart")
    except InferenceServerException as error:
        assert "spec.version" in error.message()
    else:
        raise AssertionError("the server has loaded or unloaded a model")

remote = over_grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}")
assert remote.is_server_live() and remote.is_server_ready() and remote.is_model_ready("heart", "7")
described = remote.get_model_metadata("heart")
assert [(item.name, item.datatype) for item in described.inputs] == [
    (item["name"], item["datatype"]) for item in metadata["inputs"]
]
for packed in (None, "gzip", "deflate"):
    inputs = []
    for name, array in values.items():
        tensor = over_grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    answer = remote.infer("heart", inputs, compression_algorithm=packed)
    found[f"grpc {packed}"] = answer.as_numpy("probabilities")[:, 1].tolist()
    assert answer.as_numpy("label").tolist()[0] in (b"no disease", b"disease")
try:
    remote.infer("other", inputs)
except InferenceServerException as error:
    assert error.status() == "StatusCode.NOT_FOUND", error.status()
else:
    raise AssertionError("the server has answered for another model")
print(json.dumps(found))
