"""The environment of the operator."""

import pytest

from heart_operator.settings import Settings, SettingsError, read_settings


def test_without_any_variable_the_whole_cluster_is_watched() -> None:
    settings = read_settings({})
    assert settings.watches("anywhere")
    assert settings.http_port == 8080


def test_named_namespaces_are_the_only_ones() -> None:
    settings = read_settings({"HEARTOPS_NAMESPACES": "clinic, lab"})
    assert settings.watches("clinic")
    assert settings.watches("lab")
    assert not settings.watches("kube-system")


def test_an_empty_variable_is_no_variable() -> None:
    assert read_settings({"HEARTOPS_RESYNC_SECONDS": ""}) == read_settings({})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HEARTOPS_HTTP_PORT", "80800"), ("HEARTOPS_RESYNC_SECONDS", "often"), ("HEARTOPS_LOG_LEVEL", "loud")],
)
def test_a_bad_value_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        read_settings({variable: value})


def test_every_variable_is_documented() -> None:
    documented = __import__("heart_operator.settings", fromlist=["settings"]).__doc__ or ""
    assert all(f"HEARTOPS_{name.upper()} " in documented for name in Settings.model_fields)
