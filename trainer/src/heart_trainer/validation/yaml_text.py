"""YAML as kubectl reads it, and what to say where YAML made another value of a word than a person meant."""

import re
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

LIST_ENTRY = re.compile(r"\[\d+\]$")
WRONG_KIND = re.compile(
    r'^(?P<path>\S+): Invalid value: "(?P<kind>boolean|integer|number|null)": .* of type (?P<wanted>\S+):'
)
HINTS = {
    "boolean": 'quote it ("yes", "no"): YAML 1.1 reads yes, no, on, off, true and false as true or false',
    "integer": 'quote it ("1"): without quotes YAML reads a number',
    "number": 'quote it ("1.5"): without quotes YAML reads a number',
    "null": 'quote it ("null"): without quotes YAML reads ~, null and nothing as no value',
}


class Loader(yaml.SafeLoader):
    """Without dates (kubectl takes them as text); a key that is given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                place = f"line {key_node.start_mark.line + 1}"
                raise yaml.constructor.ConstructorError(None, None, f"{place}: {key} is given twice", None)
            seen.add(key if isinstance(key, Hashable) else id(key))
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_documents(text: str) -> list[Any]:
    """Every document; a whole number is an integer however it is written, as in the JSON that kubectl sends.

    Raises yaml.YAMLError.
    """
    return [_as_json(document) for document in yaml.load_all(text, Loader)]


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(name): _as_json(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_as_json(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _key(name: Any) -> str:
    """JSON has no keys but text: `{0: no disease}` is `{"0": "no disease"}`."""
    return name if isinstance(name, str) else str(_as_json(name)).lower()


def with_hints(lines: Iterable[str]) -> list[str]:
    """Complaints about a value's type say how to write it; a list whose entries all are wrong says so once."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        wrong = WRONG_KIND.match(line)
        if not wrong or "string" not in wrong["wanted"]:
            found[line, ""] = line
            continue
        place = LIST_ENTRY.sub("", wrong["path"])
        found.setdefault((place, wrong["kind"]), f"{line} ({HINTS[wrong['kind']]})")
    return list(found.values())
