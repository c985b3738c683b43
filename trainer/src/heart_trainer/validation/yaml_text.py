"""YAML as kubectl reads it, and what to say where YAML made another value of a word than a person meant."""

import re
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

ENTRY = re.compile(r"\[\d+\]$|(?<=^spec\.target\.labels)\..*$")
"""Of a list, or of the labels by value: one line says it of all of them."""
WRONG_KIND = re.compile(
    r'^(?P<path>\S+): Invalid value: "(?P<kind>boolean|integer|number|null|object)": .* of type (?P<wanted>\S+):'
)
HINTS = {
    "boolean": 'quote it ("yes", "no"): YAML 1.1 reads yes, no, y, n, on and off as true or false',
    "integer": 'quote it ("1"): without quotes YAML reads a number',
    "number": 'quote it ("1.5"): without quotes YAML reads a number',
    "object": 'quote it ("?"): a question mark or a colon makes a mapping in YAML',
    "null": 'quote it ("null"): without quotes YAML reads ~, null and nothing as no value',
}
SEPARATOR = "csv.separator: Too long"
TAB = '(one character; a tab is "\\t" in double quotes)'
YAML = "tag:yaml.org,2002:"
MERGE = f"{YAML}merge"


class Loader(yaml.SafeLoader):
    """Plain words as kubectl's YAML reads them (go-yaml v2): `y` is true, `1e3` a number, `1:30` and dates are text.

    A key that is given twice is a mistake.
    """

    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                place = f"line {key_node.start_mark.line + 1}"
                raise yaml.constructor.ConstructorError(None, None, f"{place}: {key} is given twice", None)
            seen.add(key if isinstance(key, Hashable) else id(key))
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        octal = re.fullmatch(r"([+-]?)0([0-7]+)", text)
        return int(f"{octal[1]}0o{octal[2]}" if octal else text, 0)


PLAIN = (
    ("bool", r"[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
)
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag in (f"{YAML}null", MERGE)]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for kind, pattern, first in PLAIN:
    Loader.add_implicit_resolver(f"{YAML}{kind}", re.compile(f"(?:{pattern})$"), list(first))
Loader.add_constructor(f"{YAML}int", Loader.construct_integer)


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
    if name is None:
        return "null"
    return name if isinstance(name, str) else str(_as_json(name)).lower()


def with_hints(lines: Iterable[str]) -> list[str]:
    """Complaints about a value's type say how to write it; a list whose entries all are wrong says so once."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        wrong = WRONG_KIND.match(line)
        if not wrong or "string" not in wrong["wanted"]:
            found[line, ""] = f"{line} {TAB}" if SEPARATOR in line else line
            continue
        place = ENTRY.sub("", wrong["path"])
        found.setdefault((place, wrong["kind"]), f"{line} ({HINTS[wrong['kind']]})")
    return list(found.values())
