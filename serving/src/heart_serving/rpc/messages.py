"""The messages of the Open Inference Protocol over gRPC. Parameters of requests are left out: they are all ignored.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
"""

from heart_model.messages import (
    BOOL,
    BYTES,
    DOUBLE,
    FLOAT,
    INT32,
    INT64,
    MESSAGE,
    STRING,
    UINT32,
    UINT64,
    Declared,
    message_classes,
)


def one(name: str, number: int, kind: int, target: str = "") -> Declared:
    return (name, number, kind, False, target)


def many(name: str, number: int, kind: int, target: str = "") -> Declared:
    return (name, number, kind, True, target)


MODEL = (one("name", 1, STRING), one("version", 2, STRING))
TENSOR = (
    one("name", 1, STRING),
    one("datatype", 2, STRING),
    many("shape", 3, INT64),
    one("contents", 5, MESSAGE, "Contents"),
)
CLASSES = message_classes(
    "inference",
    {
        "ServerLiveResponse": (one("live", 1, BOOL),),
        "ServerReadyResponse": (one("ready", 1, BOOL),),
        "ModelReadyRequest": MODEL,
        "ModelReadyResponse": (one("ready", 1, BOOL),),
        "ServerMetadataResponse": (one("name", 1, STRING), one("version", 2, STRING), many("extensions", 3, STRING)),
        "ModelMetadataRequest": MODEL,
        "ModelMetadataResponse": (
            one("name", 1, STRING),
            many("versions", 2, STRING),
            one("platform", 3, STRING),
            many("inputs", 4, MESSAGE, "Tensor"),
            many("outputs", 5, MESSAGE, "Tensor"),
        ),
        "ModelInferRequest": (
            one("model_name", 1, STRING),
            one("model_version", 2, STRING),
            one("id", 3, STRING),
            many("inputs", 5, MESSAGE, "Tensor"),
            many("outputs", 6, MESSAGE, "Wanted"),
            many("raw_input_contents", 7, BYTES),
        ),
        "ModelInferResponse": (
            one("model_name", 1, STRING),
            one("model_version", 2, STRING),
            one("id", 3, STRING),
            many("parameters", 4, MESSAGE, "Parameter"),
            many("outputs", 5, MESSAGE, "Tensor"),
            many("raw_output_contents", 6, BYTES),
        ),
        # An entry of a map: on the wire a repeated message of key and value.
        "Parameter": (one("key", 1, STRING), one("value", 2, MESSAGE, "InferParameter")),
        "InferParameter": (one("string_param", 3, STRING),),
        "Wanted": (one("name", 1, STRING),),
        "Tensor": TENSOR,
        "Contents": (
            many("bool_contents", 1, BOOL),
            many("int_contents", 2, INT32),
            many("int64_contents", 3, INT64),
            many("uint_contents", 4, UINT32),
            many("uint64_contents", 5, UINT64),
            many("fp32_contents", 6, FLOAT),
            many("fp64_contents", 7, DOUBLE),
            many("bytes_contents", 8, BYTES),
        ),
    },
    "proto3",
)
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where the values of each datatype are. FP16 and BF16 have no field: they come raw."""
