"""The data contract as a validator, built once: records in, float32 rows out.

msgspec checks names, types and bounds in C, of JSON bytes as of Python objects. What it has no word for is done here:
whole numbers, and the codes of categories. The quick way only says yes or no; `violations` (module below) then says
why. Both follow heart_api.contract.Feature; a property test holds them together.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET, Meta, Struct, UnsetType

from heart_api.contract import Feature
from heart_serving.errors import Invalid, Problem, Violation
from heart_serving.protocols.violations import FLOAT32_MAX, MAX_VIOLATIONS, explain_record

NAN = float("nan")
MISSING = {None: NAN, UNSET: NAN}
Matrix = npt.NDArray[np.float32]
Values = list[float]


def type_of(feature: Feature) -> Any:
    """As msgspec knows it; what remains to be checked is in Coding."""
    if feature.type == "category":
        found: Any = int | float | str  # 1.0 is 1 in JSON
    elif feature.type == "boolean":
        found = bool | int | float
    else:
        low = -FLOAT32_MAX if feature.minimum is None else feature.minimum
        high = FLOAT32_MAX if feature.maximum is None else feature.maximum
        found = Annotated[float, Meta(ge=low, le=high)]
    return found if feature.required else found | None | UnsetType


def record_type(features: Sequence[Feature]) -> type[Struct]:
    """A structure with a field for each feature, in their order."""
    fields: list[Any] = []
    for position, feature in enumerate(features):
        default = () if feature.required else (UNSET,)
        fields.append((f"f{position}", type_of(feature), *default))
    names = {f"f{position}": feature.name for position, feature in enumerate(features)}
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, forbid_unknown_fields=True, gc=False)


@dataclass(frozen=True, slots=True)
class Coding:
    """From a record's values to numbers: what to look up, and what to check."""

    codes: tuple[tuple[int, Mapping[Any, float]], ...]
    """By position: what values are encoded as; any other is not allowed."""
    optional: tuple[int, ...]
    """Positions of numbers that may be missing."""
    whole: tuple[int, ...]

    @classmethod
    def of(cls, features: Sequence[Feature]) -> "Coding":
        positions = dict(enumerate(features))
        return cls(
            tuple((p, codes) for p, f in positions.items() if (codes := codes_of(f))),
            tuple(p for p, f in positions.items() if f.type in ("number", "integer") and not f.required),
            tuple(p for p, f in positions.items() if f.type == "integer"),
        )

    def encode(self, record: Struct) -> Values | None:
        """A record as the model's inputs, or None for a value of no category or an integer with a fraction."""
        values: Values = list(msgspec.structs.astuple(record))
        for position, codes in self.codes:
            code = codes.get(values[position])
            if code is None:
                return None
            values[position] = code
        for position in self.optional:
            if type(values[position]) is not float:
                values[position] = NAN
        for position in self.whole:
            value = values[position]
            if value != value // 1 and value == value:  # NaN is a missing value
                return None
        return values


def codes_of(feature: Feature) -> Mapping[Any, float]:
    missing = {} if feature.required else MISSING
    if feature.type == "category":
        codes: dict[Any, float] = {value: float(code) for code, value in enumerate(feature.values or ())}
        return codes | {name: codes[value] for name, value in (feature.codes or {}).items()} | missing
    return {False: 0.0, True: 1.0} | missing if feature.type == "boolean" else {}  # 0 and 1 are the same keys


def values_of(feature: Feature) -> Mapping[Any, Any]:
    """What a client may send for a value of the contract → that value: `asymptomatic` → 0, 1 → True."""
    if feature.type == "boolean":
        return {False: False, True: True, None: None}
    values = {value: value for value in feature.values or ()}
    return values | dict(feature.codes or {}) | {None: None}


class Records(Sequence[Mapping[str, Any]]):
    """Checked records as dictionaries of the contract's own values, made when they are read."""

    def __init__(self, records: Sequence[Struct], values: Mapping[str, Mapping[Any, Any]]) -> None:
        """`values`: by feature, where a client may write a value in more than one way."""
        self._records = records
        self._values = values

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: Any) -> Any:
        return self._read(self._records[index])

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return map(self._read, self._records)

    def _read(self, record: Struct) -> Mapping[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(record)
        for name, values in self._values.items():
            if name in found:
                found[name] = values[found[name]]
        return found


@dataclass(frozen=True, slots=True)
class Contract:
    """The features of one version, in the order in which the model wants them."""

    features: tuple[Feature, ...]
    max_rows: int
    lenient: bool
    """Some feature may be absent."""
    coding: Coding
    many: Any
    """list[record type]."""
    decoder: msgspec.json.Decoder[Any]
    """Of a record or a list of records."""
    values: Mapping[str, Mapping[Any, Any]]
    """By feature, what `values_of` says."""

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @classmethod
    def of(cls, features: Sequence[Feature], max_rows: int) -> "Contract":
        record = record_type(features)
        many: Any = list[record]  # type: ignore[valid-type]
        decoder = msgspec.json.Decoder(record | many)
        lenient = not all(feature.required for feature in features)
        values = {f.name: values_of(f) for f in features if f.type in ("category", "boolean")}
        return cls(tuple(features), max_rows, lenient, Coding.of(features), many, decoder, values)

    def rows(self, records: Sequence[Any], *, single: bool = False) -> Matrix:
        """[records, features] for the model. Raises Problem 422 as `check` does."""
        return self.check(records, single=single)[0]

    def check(self, records: Sequence[Any], *, single: bool = False) -> tuple[Matrix, Records]:
        """(float32 [records, features], records). Raises Invalid with every violation, capped, of the first bad ones.

        Problem 413 for too many. `single`: there is one record and no list, so that paths need no position.
        """
        if not 0 < len(records) <= self.max_rows:
            raise self._wrong_count(len(records))
        try:
            checked = msgspec.convert(records, self.many)
            rows = self._encode(checked)
        except (msgspec.ValidationError, OverflowError, RecursionError):
            rows = None
        if rows is None:
            raise Invalid(self.violations(records, single=single))
        return rows, Records(checked, self.values)

    def read(self, body: bytes) -> tuple[Matrix, Records, bool] | None:
        """(rows, records, whether it is one record and no list) of JSON; None when the slow validator has to read it.

        That is so when the contract is broken, and when a name may occur twice in an object: the parser keeps the last
        one, so that then there are more colons than names. A colon in a string looks the same.
        """
        try:
            found = self.decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        single = type(found) is not list
        records = [found] if single else found
        if not 0 < len(records) <= self.max_rows or body.count(b":") != self._names(records):
            return None
        rows = self._encode(records)
        return None if rows is None else (rows, Records(records, self.values), single)

    def _encode(self, records: Sequence[Struct]) -> Matrix | None:
        encode = self.coding.encode
        values = [encode(record) for record in records]
        if None in values:
            return None
        flat = array("f", chain.from_iterable(values))  # type: ignore[arg-type]
        return np.frombuffer(flat, np.float32).reshape(len(records), len(self.features))

    def _names(self, records: Sequence[Struct]) -> int:
        """Number of keys in the records' JSON objects, by which duplicate keys are noticed."""
        count = len(records) * len(self.features)
        for record in records if self.lenient else ():
            count -= msgspec.structs.astuple(record).count(UNSET)
        return count

    def _wrong_count(self, count: int) -> Problem:
        if count:
            return Problem(413, f"at most {self.max_rows} records are answered at once: send them in parts")
        return Invalid([Violation((), "too_short", "must hold at least one record")])

    def violations(self, records: Sequence[Any], *, single: bool) -> list[Violation]:
        found: list[Violation] = []
        for position, record in enumerate(records):
            path: tuple[str | int, ...] = () if single else (position,)
            found += explain_record(self.features, record, path)
            if len(found) >= MAX_VIOLATIONS:
                return [*found[:MAX_VIOLATIONS], Violation((), "too_many_errors", "further errors are not listed")]
        return found
