"""`ModelInfer`: messages in, messages out, with the contract, the tensors and the outputs of the protocol over HTTP."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from heart_serving.admission.request_body import Head
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.base import ParsedRequest, Reply
from heart_serving.protocols.oip_binary import read_values, write_values
from heart_serving.protocols.oip_tensors import Tensor, check_form, checked, describe_outputs, to_records
from heart_serving.protocols.open_inference import MAX_ID, OpenInference, answer_parameters
from heart_serving.protocols.violations import plain_name
from heart_serving.rpc.messages import CLASSES, CONTENTS


@dataclass(frozen=True, slots=True)
class GrpcInference:
    """Outputs come raw when the inputs did, else in the fields of their datatypes."""

    inference: OpenInference

    def accept(self, head: Head) -> "GrpcInference":
        return self

    def read(self, body: bytes) -> ParsedRequest:
        message = parse("ModelInferRequest", body)
        self.check_model(message.model_name, message.model_version)
        if len(message.id) > MAX_ID:
            raise Problem(400, f"id: must be a string of at most {MAX_ID} characters")
        contract = self.inference.contract
        records = to_records(list(read_tensors(message)), contract.features)
        rows, found = contract.check(records)
        outputs = self._wanted([output.name for output in message.outputs])
        raw = frozenset(outputs) if message.raw_input_contents else frozenset()
        return ParsedRequest(rows, found, id=message.id or None, outputs=outputs, binary=raw)

    def check_model(self, name: str, version: str) -> None:
        """Raises Problem 404 for another model than the one that is served."""
        own = self.inference
        if name != own.name or version not in ("", own.version):
            raise Problem(404, f"this server has model {own.name} version {own.version}")

    def _wanted(self, names: list[str]) -> tuple[str, ...]:
        known = [item["name"] for item in describe_outputs(self.inference.answers)]
        if set(names) - set(known):
            raise Problem(400, f"outputs: this model has {', '.join(known)}")
        return tuple(dict.fromkeys(names or known))

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Reply:
        own = self.inference
        answer = CLASSES["ModelInferResponse"](
            model_name=own.name, model_version=own.version, id=parsed.id or request_id
        )
        for key, text in answer_parameters(request_id, proof).items():
            answer.parameters.add(key=key).value.string_param = text
        for described, values in own.tensors(parsed, outputs):
            tensor = answer.outputs.add(**described)
            if parsed.binary:
                answer.raw_output_contents.append(write_values(values, described["datatype"]))
            else:
                field = getattr(tensor.contents, CONTENTS[described["datatype"]])
                field.extend([value.encode() for value in values] if described["datatype"] == "BYTES" else values)
        return Reply(answer.SerializeToString())

    def error_body(self, problem: Problem) -> Any:
        return {"error": problem.message}


def parse(name: str, body: bytes) -> Any:
    """Raises Problem 400."""
    try:
        return CLASSES[name].FromString(body)
    except DecodeError:
        raise Problem(400, f"the request is not a {name}") from None


def read_tensors(message: Any) -> Iterator[Tensor]:
    """Raises Problem 400 with the tensor's name and what is wrong."""
    raw = list(message.raw_input_contents)
    if not message.inputs:
        raise Problem(400, "inputs: must be a list of tensors")
    if raw and len(raw) != len(message.inputs):
        raise Problem(400, "raw_input_contents: must hold the bytes of every input, in their order")
    for position, item in enumerate(message.inputs):
        name, shape = plain_name(item.name), list(item.shape)
        where = f"inputs.{name}"
        check_form(shape, item.datatype, where)
        values = raw_values(raw[position], item.datatype, where) if raw else typed_values(item, where)
        yield checked(Tensor(name, item.datatype, tuple(shape), values), where, typed=not raw)


def raw_values(data: bytes, datatype: str, where: str) -> list[Any]:
    try:
        return read_values(data, datatype)
    except (ValueError, struct.error):
        raise Problem(400, f"{where}.data: its bytes are not of its datatype {datatype}") from None


def typed_values(item: Any, where: str) -> list[Any]:
    """NaN is a missing value."""
    if item.datatype not in CONTENTS:
        raise Problem(400, f"{where}.contents: {item.datatype} has to come in raw_input_contents")
    values = list(getattr(item.contents, CONTENTS[item.datatype]))
    if item.datatype != "BYTES":
        return [None if value != value else value for value in values]
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise Problem(400, f"{where}.contents: strings must be in UTF-8") from None
