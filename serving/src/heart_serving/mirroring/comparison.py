"""How far two answers to the same request are apart, whichever protocol they are written in.

Both come from servers of ours, so that no protocol is needed to read them: fractions are probabilities or values, and
everything else (classes, labels, names, shapes) has to be the same.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from heart_serving.errors import Problem
from heart_serving.protocols.base import Reply
from heart_serving.protocols.oip_binary import HEADER, Tail

TOLERANCE = 0.05
"""Answers further apart than this are read differently: five points of a probability, 5% of a value."""
WHO_ANSWERED = frozenset({"model_version", "model_name", "request_id", "id", "proof"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference`: the largest of all records; of probabilities absolute, of values relative to the larger one."""

    equal: bool
    difference: float = 0.0


def compare(ours: Reply, theirs: Reply, *, relative: bool) -> Comparison:
    """Two answers of status 200; `relative` for regression. Raises ValueError when `theirs` has another form."""
    our_exact, our_numbers = take_apart(read(ours))
    their_exact, their_numbers = take_apart(read(theirs))
    if len(our_numbers) != len(their_numbers):
        return Comparison(equal=False)
    distance = relative_distance if relative else absolute_distance
    difference = max(map(distance, our_numbers, their_numbers), default=0.0)
    return Comparison(our_exact == their_exact and difference <= TOLERANCE, difference)


def read(answer: Reply) -> Any:
    """The JSON, with binary tensors in it as if they had been written there."""
    if HEADER not in answer.headers:
        return orjson.loads(answer.body)
    length = int(answer.headers[HEADER])
    document, tail = orjson.loads(answer.body[:length]), Tail(answer.body[length:])
    try:
        for tensor in document["outputs"]:
            if "data" not in tensor:
                tensor["data"] = tail.take(tensor, tensor["datatype"], tensor["name"])
    except (LookupError, TypeError, Problem):
        raise ValueError("these are not the tensors of an answer") from None
    return document


def take_apart(document: Any) -> tuple[list[Any], list[float]]:
    """Everything but fractions, and the fractions; equal documents give equal lists whatever the order of their names.

    Without recursion: the parser allows more levels than Python does.
    """
    exact: list[Any] = []
    numbers: list[float] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if type(value) is float:
            numbers.append(value)
        elif type(value) is dict:
            names = sorted(value.keys() - WHO_ANSWERED)
            exact += names
            waiting += [value[name] for name in names]
        elif type(value) is list:
            exact.append(len(value))
            waiting += value
        else:
            exact.append(value)
    return exact, numbers


def absolute_distance(one: float, other: float) -> float:
    return abs(one - other)


def relative_distance(one: float, other: float) -> float:
    larger = max(abs(one), abs(other))
    return abs(one - other) / larger if larger else 0.0
