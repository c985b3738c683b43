"""The generated CRD and its page: complete, structural, and refused by --check when outdated."""

from typing import Literal, get_args

import pytest
from pydantic import Field

from heart_api.base import Frozen
from heart_api.drift import CheckFailureReason
from heart_api.handover import FailureReason
from heart_api.names import Condition, Reason, ScheduleCondition, ScheduleReason
from heart_api.structural import structural_schema
from heart_operator.crdgen.__main__ import KINDS, generated, main
from heart_operator.crdgen.crd import build_crd, root_schema, told_defaults
from heart_operator.crdgen.definition import Definition
from heart_operator.crdgen.heartmodel import HEART_MODEL
from heart_operator.crdgen.retrainschedule import RETRAIN_SCHEDULE

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def nodes(path, schema):
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(f"{path}.{name}", field)
    if "items" in schema:
        yield from nodes(f"{path}[]", schema["items"])


@each_kind
def test_the_schema_is_structural(kind: Definition):
    """What the API server demands of every node, and what it would refuse."""
    for path, node in nodes("", root_schema(kind)):
        kinds = {"type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
        assert len(kinds & node.keys()) == 1, path
        assert not {"$ref", "$defs", "title", "const", "oneOf", "allOf"} & node.keys(), path
        assert "additionalProperties" not in node or (
            {"type", "x-kubernetes-int-or-string"} & node["additionalProperties"].keys() and "properties" not in node
        ), path
        assert "anyOf" not in node or "x-kubernetes-int-or-string" in node, path


@each_kind
def test_what_rules_read_is_bounded(kind: Definition):
    """Without bounds, the API server refuses the CRD for what its rules could cost."""
    for path, node in nodes("spec", root_schema(kind)["properties"]["spec"]):
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if node.get("type") == "string":
            assert {"maxLength", "enum", "pattern"} & node.keys(), path


class Inner(Frozen):
    needed: int = Field(gt=1)
    count: int = 3


class Outer(Frozen):
    maybe: Inner | None = None
    always: Inner = Inner(needed=2)
    either: int | str = "x"
    kind: Literal["a"] = "a"
    many: tuple[str, ...] = ()


def test_translates_what_openapi_says_otherwise():
    properties = structural_schema(Outer)["properties"]
    inner = properties["maybe"]
    assert inner["type"] == "object"
    assert inner["properties"]["needed"] == {"minimum": 1, "exclusiveMinimum": True, "type": "integer"}
    assert "default" not in inner
    assert properties["always"]["default"] == {"needed": 2, "count": 3}
    assert properties["either"] == {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "default": "x",
    }
    assert properties["kind"] == {"enum": ["a"], "type": "string", "default": "a"}
    assert "default" not in properties["many"]


def test_a_status_gets_no_defaults():
    assert "default" not in str(structural_schema(Outer, defaults=False))


def test_a_default_holds_no_nulls():
    """The API server refuses the CRD for one; an absent field is left out."""

    class Many(Frozen):
        entries: tuple[Outer, ...] = (Outer(),)

    [entry] = structural_schema(Many)["properties"]["entries"]["default"]
    assert "maybe" not in entry
    assert entry["always"] == {"needed": 2, "count": 3}


def test_a_choice_that_a_crd_cannot_express_is_an_error():
    class Odd(Frozen):
        odd: Inner | Outer

    with pytest.raises(ValueError, match="a CRD cannot express this choice"):
        structural_schema(Odd)


def test_the_scale_subresource_points_at_fields_that_exist():
    (version,) = build_crd(HEART_MODEL)["spec"]["versions"]
    assert set(version["subresources"]["scale"].values()) < {path for path, _ in nodes("", root_schema(HEART_MODEL))}


@each_kind
def test_columns_point_at_fields_that_exist(kind: Definition):
    (version,) = build_crd(kind)["spec"]["versions"]
    paths = {path.replace("[]", "") for path, _ in nodes("", root_schema(kind))}
    columns = [column["jsonPath"].split("[")[0] for column in version["additionalPrinterColumns"]]
    assert {column for column in columns if not column.startswith(".metadata")} < paths


@each_kind
def test_every_field_of_the_spec_is_described_as_in_a_reference(kind: Definition):
    """`kubectl explain` shows nothing else: a sentence that says more than the field's name."""
    spec = root_schema(kind)["properties"]["spec"]
    described = {path: node.get("description", "") for path, node in nodes("spec", spec) if not path.endswith("[]")}
    assert [path for path, text in described.items() if len(text) < 25 or not text.rstrip().endswith(".")] == []


def constants(names):
    return {value for name, value in vars(names).items() if not name.startswith("_")}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_kubectl_explain_shows_each_default(kind: Definition):
    """It prints descriptions and enumerations, and no `default`."""
    schema = build_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found = {path: node for path, node in nodes("", schema) if isinstance(node.get("default"), str | int | float)}
    assert found
    silent = [path for path, node in found.items() if node["default"] != "" and "efault" not in node["description"]]
    assert silent == []


def test_a_default_is_written_as_it_would_be_typed():
    told = told_defaults({"properties": {"a": {"description": "Is it so?", "default": False}, "b": {"default": 1}}})
    assert told["properties"]["a"]["description"] == "Is it so? Defaults to false."
    assert "description" not in told["properties"]["b"]


def test_every_condition_and_reason_is_explained():
    assert HEART_MODEL.conditions.keys() == constants(Condition)
    assert HEART_MODEL.reasons.keys() == constants(Reason) | set(get_args(FailureReason))
    assert RETRAIN_SCHEDULE.conditions.keys() == constants(ScheduleCondition)
    assert RETRAIN_SCHEDULE.reasons.keys() == constants(ScheduleReason) | set(get_args(CheckFailureReason))


def test_writes_and_then_finds_nothing_to_change(tmp_path, capsys):
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_shows_what_differs_and_writes_nothing(tmp_path, capsys):
    main(["--root", str(tmp_path)])
    crd = tmp_path / "crds" / "heartmodels.heartops.dev.yaml"
    edited = crd.read_text().replace("default: 42", "default: 43")
    crd.write_text(edited)
    (tmp_path / "docs/api/heartmodel.md").unlink()
    assert main(["--root", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr()
    changes = [line.split() for line in said.out.splitlines() if "default: 4" in line]
    assert changes == [["-", "default:", "43"], ["+", "default:", "42"]]
    assert "# HeartModel" in said.out
    assert "make generate" in said.err
    assert crd.read_text() == edited


@each_kind
def test_the_page_names_every_field(kind: Definition):
    page = generated()[f"docs/api/{kind.kind.lower()}.md"]
    for path, node in nodes("spec", root_schema(kind)["properties"]["spec"]):
        assert path.endswith("[]") or f"`{path.rpartition('.')[2]}`" in page or path == "spec"
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["message"].replace("|", "\\|") in page
