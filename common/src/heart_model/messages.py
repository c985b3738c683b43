"""Protocol buffers declared in Python: the parts of other people's files that are used here, without generated code."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DOUBLE, FLOAT, INT64, UINT64, INT32, BOOL, STRING, MESSAGE, BYTES, UINT32 = 1, 2, 3, 4, 5, 8, 9, 11, 12, 13
"""Field types, as descriptor.proto numbers them."""
REPEATED = 3
Declared = tuple[str, int, int, bool, str]
"""Name, number, type, whether it is repeated, and the message's name where the type is MESSAGE."""


def message_classes(
    package: str, messages: Mapping[str, Sequence[Declared]], syntax: Literal["proto2", "proto3"] = "proto2"
) -> dict[str, Any]:
    """A class for each message, in a pool of its own: other declarations of the same names do not collide with it."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax=syntax)
    for name, fields in messages.items():
        kind = file.message_type.add(name=name)
        for field_name, number, field_type, repeated, target in fields:
            kind.field.add(
                name=field_name,
                number=number,
                type=field_type,
                label=REPEATED if repeated else 1,
                type_name=f".{package}.{target}" if target else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}
