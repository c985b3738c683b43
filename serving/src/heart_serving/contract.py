"""The data contract as a validator, built once: records in, float32 rows out.

`Contract.encode` is the quick path and only says yes or no to a record; `violations` (module below) then says why.
Both follow heart_operator.api.contract.Feature; a property test holds them together.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from heart_operator.api.contract import Feature
from heart_serving.errors import Invalid, Problem, Violation
from heart_serving.violations import FLOAT32_MAX, MAX_VIOLATIONS, explain_record

NAN = float("nan")
NUMBERS = frozenset({int, float})
ALLOWED_TYPES = {
    "number": NUMBERS,
    "integer": NUMBERS,
    "category": frozenset({int, float, str}),  # 1.0 is 1 in JSON
    "boolean": frozenset({bool}),
}


class Column(NamedTuple):
    name: str
    types: frozenset[type]
    codes: dict[Any, float] | None
    """What a category's or boolean's values are encoded as; None for numbers."""
    whole: bool
    low: float
    high: float
    required: bool


def build_column(feature: Feature) -> Column:
    return Column(
        name=feature.name,
        types=ALLOWED_TYPES[feature.type],
        codes=codes_of(feature),
        whole=feature.type == "integer",
        low=-FLOAT32_MAX if feature.minimum is None else feature.minimum,
        high=FLOAT32_MAX if feature.maximum is None else feature.maximum,
        required=feature.required,
    )


def codes_of(feature: Feature) -> dict[Any, float] | None:
    if feature.type == "category":
        return {value: float(code) for code, value in enumerate(feature.values or ())}
    if feature.type == "boolean":
        return {False: 0.0, True: 1.0}
    return None


@dataclass(frozen=True, slots=True)
class Contract:
    """The features of one version, in the order in which the model wants them."""

    features: tuple[Feature, ...]
    columns: tuple[Column, ...]
    max_rows: int

    @classmethod
    def of(cls, features: Sequence[Feature], max_rows: int) -> "Contract":
        return cls(tuple(features), tuple(build_column(feature) for feature in features), max_rows)

    def rows(self, records: Sequence[Any], *, single: bool = False) -> npt.NDArray[np.float32]:
        """float32 [records, features]. Raises Invalid with every violation, capped, for the first bad records.

        Problem 413 for too many. `single`: there is one record and no list, so that paths need no position.
        """
        if not 0 < len(records) <= self.max_rows:
            raise self._wrong_count(len(records))
        values: list[float] = []
        for record in records:
            if not self.encode(record, values):
                raise Invalid(self.violations(records, single=single))
        return np.frombuffer(array("f", values), np.float32).reshape(len(records), len(self.columns))

    def _wrong_count(self, count: int) -> Problem:
        if count:
            return Problem(413, f"at most {self.max_rows} records are answered at once: send them in parts")
        return Invalid([Violation((), "too_short", "must hold at least one record")])

    def encode(self, record: Any, out: list[float]) -> bool:
        """Appends one value per feature; False (with `out` spoilt) when anything is wrong with the record."""
        if type(record) is not dict:
            return False
        absent = 0
        for name, types, codes, whole, low, high, required in self.columns:
            value: Any = record.get(name)
            if type(value) in types:
                if codes is not None:
                    value = codes.get(value)
                    if value is None:
                        return False
                elif not low <= value <= high or (whole and value != value // 1):
                    return False
                out.append(value)
            elif value is None and not required:
                absent += name not in record
                out.append(NAN)
            else:
                return False
        return len(record) + absent == len(self.columns)

    def violations(self, records: Sequence[Any], *, single: bool) -> list[Violation]:
        found: list[Violation] = []
        for position, record in enumerate(records):
            path: tuple[str | int, ...] = () if single else (position,)
            found += explain_record(self.features, record, path)
            if len(found) >= MAX_VIOLATIONS:
                return [*found[:MAX_VIOLATIONS], Violation((), "too_many_errors", "further errors are not listed")]
        return found
