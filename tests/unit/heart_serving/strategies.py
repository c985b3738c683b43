"""Random contracts, and random records that keep or break them."""

from typing import Any

from hypothesis import strategies as st

from heart_api.contract import Feature

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
floats = st.floats(-1e6, 1e6, width=32)


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    kind = draw(st.sampled_from(["number", "integer", "category", "boolean"]))
    fields: dict[str, Any] = {"required": draw(st.booleans())}
    if kind in ("number", "integer"):
        low, high = sorted((draw(st.integers(-1000, 1000)), draw(st.integers(-1000, 1000))))
        fields |= {"minimum": draw(st.sampled_from([None, low])), "maximum": draw(st.sampled_from([None, high]))}
    if kind == "category":
        values = draw(st.lists(st.integers(-9, 9) | st.text(max_size=5), min_size=2, max_size=6, unique_by=str))
        fields["values"] = tuple(values)
    return Feature(name=name, type=kind, **fields)


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Feature, ...]:
    chosen = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    return tuple(draw(features(name)) for name in chosen)


@st.composite
def good_values(draw: st.DrawFn, feature: Feature) -> Any:
    if feature.type == "category":
        return draw(st.sampled_from(list(feature.values or ())))
    if feature.type == "boolean":
        return draw(st.booleans())
    low, high = feature.minimum, feature.maximum
    if feature.type == "integer":
        return draw(st.integers(-(2**20) if low is None else int(low), 2**20 if high is None else int(high)))
    return draw(st.floats(-1e6 if low is None else low, 1e6 if high is None else high))


@st.composite
def good_records(draw: st.DrawFn, contract: tuple[Feature, ...]) -> dict[str, Any]:
    record = {}
    for feature in contract:
        if feature.required or draw(st.booleans()):
            record[feature.name] = draw(good_values(feature))
        elif draw(st.booleans()):
            record[feature.name] = None
    return record


json_scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    json_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def any_records(draw: st.DrawFn, contract: tuple[Feature, ...]) -> Any:
    """Mostly good, with some values replaced, removed or added."""
    record: dict[str, Any] = draw(good_records(contract))
    for feature in contract:
        change = draw(st.sampled_from(["keep", "keep", "keep", "replace", "remove"]))
        if change == "replace":
            record[feature.name] = draw(json_values)
        elif change == "remove":
            record.pop(feature.name, None)
    return draw(st.just(record) | st.just(record | {draw(st.text(max_size=5)): 1}) | json_values)
