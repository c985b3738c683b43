"""KServe's client: kserve_client.py HTTP_PORT GRPC_PORT RECORDS. Prints probabilities by case, as JSON."""

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

http_port, grpc_port, records = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
URL = f"http://127.0.0.1:{http_port}"
KINDS: dict[str, tuple[str, Any]] = {
    "age": ("FP32", np.float32),
    "sex": ("INT64", np.int64),
    "cp": ("BYTES", np.object_),
    "vessels": ("INT64", np.int64),
    "exang": ("BOOL", np.bool_),
}


def request(*, binary: bool) -> InferRequest:
    inputs = []
    for name, (kind, dtype) in KINDS.items():
        tensor = InferInput(name, [len(records)], kind)
        tensor.set_data_from_numpy(np.array([record[name] for record in records], dtype), binary_data=binary)
        inputs.append(tensor)
    return InferRequest("heart", inputs)


def probabilities(response: Any) -> list[float]:
    output = next(output for output in response.outputs if output.name == "probabilities")
    found: list[float] = output.as_numpy().reshape(len(records), 2)[:, 1].tolist()
    return found


async def main() -> dict[str, list[float]]:
    found = {}
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await v2.is_server_live(URL) and await v2.is_server_ready(URL) and await v2.is_model_ready(URL, "heart")
    for binary in (True, False):
        found[f"v2 {binary}"] = probabilities(await v2.infer(URL, request(binary=binary), model_name="heart"))
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    answer = await v1.infer(URL, {"instances": records}, model_name="heart")
    found["v1"] = [each["probability"] for each in answer["predictions"]]
    async with InferenceGRPCClient(f"127.0.0.1:{grpc_port}") as remote:
        assert await remote.is_server_live() and await remote.is_server_ready() and await remote.is_model_ready("heart")
        for binary in (True, False):
            found[f"grpc {binary}"] = probabilities(await remote.infer(request(binary=binary)))
    return found


print(json.dumps(asyncio.run(main())))
