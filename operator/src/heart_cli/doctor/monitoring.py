"""Checks of what measures: the Prometheus Operator, its selectors, and the metrics APIs of autoscaling."""

from collections.abc import Iterator, Mapping

from heart_api.kube.kinds import HEART_MODEL, MONITORING, OPTIONAL_CHILDREN
from heart_api.kube.values import Manifest
from heart_api.metrics import PREDICTION_RATE
from heart_api.names import PART_OF, Label
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.reader import OURS, Reader, read_profiles
from heart_cli.doctor.rights import may_get
from heart_cli.doctor.selectors import FIELDS, UPGRADE, Monitored, fixes, selects

AREA, AUTOSCALING = "monitoring", "autoscaling"
RATE_FIELD = "targetPredictionsPerSecond"
USAGE_FIELDS = frozenset({"targetCPUUtilizationPercentage", "targetMemoryUtilizationPercentage"})
CUSTOM_METRICS = ("custom.metrics.k8s.io/v1beta2", "custom.metrics.k8s.io/v1beta1")
KINDS = {kind.kind: kind for kind in OPTIONAL_CHILDREN if kind.kind in FIELDS}
AGAIN = f"{UPGRADE} --set monitoring.serviceMonitor=true, or kustomize/components/monitoring"
STACK = "Install the Prometheus Operator, for example with the chart kube-prometheus-stack"


def check_monitoring(system: Reader, models: Reader) -> Iterator[Finding]:
    """Every kind of monitoring object has to be selected by at least one Prometheus."""
    if missing := {kind.plural for kind in KINDS.values()} - system.resources(MONITORING):
        yield Finding("note", AREA, f"no {', '.join(sorted(missing))}: metrics and alerts are not collected", STACK)
        return
    found = system.path(f"/apis/{MONITORING}/prometheuses")
    prometheuses = found["items"] if found else []
    if not prometheuses:
        yield Finding("note", AREA, "no Prometheus in the cluster: metrics and alerts are not collected", STACK)
        return
    yield from check_readers(system, prometheuses)
    for name, kind in KINDS.items():
        if system.objects(kind, labelSelector=OURS):
            yield judge(prometheuses, example(system, system, name))
        else:
            message = f"the installation in namespace {system.namespace} has no {name}"
            yield Finding("note", AREA, f"{message}: it was made before the cluster knew the kind, or without", AGAIN)
        yield judge(prometheuses, example(models, system, name))


def check_readers(system: Reader, prometheuses: list[Manifest]) -> Iterator[Finding]:
    """The operator shows its metrics to accounts that may `get` the non-resource URL /metrics."""
    monitored = example(system, system, "ServiceMonitor")
    for prometheus in (each for each in prometheuses if selects(each, monitored)):
        namespace, account = (
            prometheus["metadata"]["namespace"],
            prometheus["spec"].get("serviceAccountName", "default"),
        )
        if not may_get(system, f"system:serviceaccount:{namespace}:{account}", "/metrics"):
            message = (
                f"ServiceAccount {namespace}/{account} of Prometheus {full_name(prometheus)} may not read /metrics"
            )
            fix = "kubectl create clusterrolebinding heartops-metrics-reader --clusterrole=heartops-metrics-reader"
            yield Finding("problem", AREA, message, f"{fix} --serviceaccount={namespace}:{account}")


def example(reader: Reader, system: Reader, kind: str) -> Monitored:
    """An object of HeartOps in the namespace; where there is none yet, what the operator would create."""
    meta = (reader.path(f"/api/v1/namespaces/{reader.namespace}") or {}).get("metadata", {})
    labelled: dict[str, str] = meta.get("labels") or {}
    for item in reader.objects(KINDS[kind], labelSelector=OURS):
        return Monitored(kind, item["metadata"]["name"], item["metadata"]["labels"], reader.namespace, labelled)
    return Monitored(kind, "", planned_labels(system), reader.namespace, labelled)


def planned_labels(system: Reader) -> dict[str, str]:
    profiles: Mapping[str, Mapping[str, dict[str, str]]] = read_profiles(system)
    return {**(profiles.get("default") or {}).get("monitoringLabels", {}), Label.PART_OF: PART_OF}


def judge(prometheuses: list[Manifest], found: Monitored) -> Finding:
    what = f"{found.kind}s in namespace {found.namespace}"
    for prometheus in prometheuses:
        if selects(prometheus, found):
            return Finding("ok", AREA, f"Prometheus {full_name(prometheus)} selects the {what}")
    nearest = min(prometheuses, key=lambda prometheus: len(list(fixes(prometheus, found))))
    message = f"no Prometheus selects the {what} ({full_name(nearest)} does not)"
    return Finding("problem", AREA, message, "; ".join(fixes(nearest, found)))


def full_name(item: Manifest) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def check_metrics_api(models: Reader) -> Iterator[Finding]:
    """The HorizontalPodAutoscaler of a model without `serving.replicas` reads usage or predictions from it."""
    scaled = {
        item["metadata"]["name"]: (item["spec"].get("serving") or {}).get("autoscaling") or {}
        for item in models.objects(HEART_MODEL)
        if (item["spec"].get("serving") or {}).get("replicas") is None
    }
    on_usage = {name for name, found in scaled.items() if RATE_FIELD not in found or USAGE_FIELDS & found.keys()}
    yield from check_usage(models, on_usage)
    yield from check_prediction_rate(models, {name for name, found in scaled.items() if RATE_FIELD in found})


def check_usage(models: Reader, names: set[str]) -> Iterator[Finding]:
    if models.resources("metrics.k8s.io/v1beta1"):
        yield Finding("ok", AUTOSCALING, "the metrics API answers")
    elif names:
        fix = "Install metrics-server (or an adapter for metrics.k8s.io), or set spec.serving.replicas"
        message = f"no metrics API (metrics.k8s.io): {', '.join(sorted(names))} cannot scale"
        yield Finding("problem", AUTOSCALING, message, fix)


def check_prediction_rate(models: Reader, names: set[str]) -> Iterator[Finding]:
    """An adapter lists the metrics that it serves as resources: `pods/predictions_per_second`."""
    if not names:
        return
    served = {name for version in CUSTOM_METRICS for name in models.resources(version)}
    which = ", ".join(sorted(names))
    if f"pods/{PREDICTION_RATE}" in served:
        yield Finding("ok", AUTOSCALING, f"the custom metrics API serves {PREDICTION_RATE}")
    elif served:
        message = f"the custom metrics API does not serve {PREDICTION_RATE}: {which} cannot scale on predictions"
        fix = "Add the rule of docs/monitoring.md to your adapter; it finds a metric once pods have been scraped"
        yield Finding("problem", AUTOSCALING, message, fix)
    else:
        message = f"no custom metrics API (custom.metrics.k8s.io): {which} cannot scale on predictions"
        fix = "Install prometheus-adapter with the rule of docs/monitoring.md"
        yield Finding("problem", AUTOSCALING, message, fix)
