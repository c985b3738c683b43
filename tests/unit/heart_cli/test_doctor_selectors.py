"""Label selectors as the Prometheus Operator reads them, and what makes one of them match."""

import pytest

from heart_cli.doctor.selectors import Monitored, fixes, matches, selects

MONITOR = Monitored("ServiceMonitor", "heart", {"team": "a"}, "clinic", {"kubernetes.io/metadata.name": "clinic"})


def prometheus(**spec: object) -> dict:
    return {"metadata": {"name": "main", "namespace": "monitoring"}, "spec": spec}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["a"]}]}, True),
    ],
)
def test_selectors_are_kubernetes_own(selector, selected):
    assert matches(selector, MONITOR.labels) is selected


def test_a_default_kube_prometheus_stack_needs_its_release_label():
    stack = prometheus(serviceMonitorSelector={"matchLabels": {"release": "stack"}}, serviceMonitorNamespaceSelector={})
    assert not selects(stack, MONITOR)
    (fix,) = fixes(stack, MONITOR)
    assert fix.endswith("--set monitoring.labels.release=stack")


def test_without_a_namespace_selector_only_its_own_namespace_is_read():
    own = prometheus(serviceMonitorSelector={})
    assert not selects(own, MONITOR)
    assert ["serviceMonitorNamespaceSelector" in fix for fix in fixes(own, MONITOR)] == [True]
    labelled = prometheus(
        serviceMonitorSelector={}, serviceMonitorNamespaceSelector={"matchLabels": {"monitored": "yes"}}
    )
    assert list(fixes(labelled, MONITOR)) == ["kubectl label namespace clinic monitored=yes"]


def test_dots_in_a_label_are_escaped_for_helm():
    found = prometheus(serviceMonitorSelector={"matchLabels": {"a.b/c": "d"}}, serviceMonitorNamespaceSelector={})
    assert next(fixes(found, MONITOR)).endswith(r"monitoring.labels.a\.b/c=d")
