"""What somebody who may edit one namespace could try with the resources there, and what must come of each.

Every value that must not get anywhere holds the word `evil`.
"""

from typing import Any

from heart_api.names import Annotation
from tests.support.plan.changes import Resource

VICTIM = "victim"
"""A namespace in which the attacker has no rights."""
ADDRESS = "https://example.org/heart.csv"
CAPS = {"cpu": "2", "memory": "1Gi"}
"""An administrator's bounds on what a pod may have."""
PROFILE: dict[str, Any] = {
    "images": {"trainer": "trainer:1", "serving": "serving:1"},
    "trackingUri": "https://mlflow.example:5000",
    "data": {"hosts": ["example.org"]},
    "trainingCaps": CAPS,
    "servingCaps": CAPS,
    "routes": {"ingressClasses": ["public"], "hosts": ["heart.example.org"]},
}
Changes = dict[str, Any]
"""New values by dotted path."""

FIRST = "spec.features.0"
DROPPED: dict[str, Changes] = {
    "a container of one's own": {"spec.serving.template": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}},
    "another image": {"spec.training.image": "evil"},
    "another command": {"spec.training.command": ["sh", "-c", "evil"]},
    "a container before": {"spec.training.initContainers": [{"name": "a", "image": "evil"}]},
    "more environment": {"spec.serving.env": [{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]},
    "the node's files": {"spec.serving.volumes": [{"name": "evil", "hostPath": {"path": "/"}}]},
    "privileges": {"spec.serving.securityContext": {"privileged": True, "runAsUser": 0}},
    "the node's network": {"spec.serving.hostNetwork": True},
    "another account": {"spec.serving.serviceAccountName": "evil"},
    "a chosen node": {"spec.training.nodeName": "evil"},
    "a priority": {"spec.serving.priorityClassName": "system-cluster-critical"},
    "a device": {"spec.serving.resources": {"limits": {"evil.example/gpu": 1}}},
    "another registry": {"spec.trackingUri": "http://evil.example"},
    "data of another namespace": {"spec.dataset.namespace": VICTIM},
    "an alert's words": {"spec.monitoring.alerts.annotations": {"summary": "{{ evil }}"}},
    "the ingress controller's settings": {
        "spec.serving.ingress.annotations": {"nginx.ingress.kubernetes.io/configuration-snippet": "evil"}
    },
}
"""No field of ours: the API server drops it."""

REJECTED: dict[str, tuple[Changes, str]] = {
    "a file of the node": ({"spec.dataset.uri": "file:///etc/evil"}, "spec.dataset.uri"),
    "a scheme nobody knows": ({"spec.dataset.uri": "gopher://evil/x"}, "spec.dataset.uri"),
    "a way out of a volume": ({"spec.dataset.uri": "pvc://data/../../evil"}, "spec.dataset.uri"),
    "a claim elsewhere": ({"spec.dataset.uri": f"pvc://{VICTIM}/../data"}, "spec.dataset.uri"),
    "a key with a way out": ({"spec.dataset.uri": "configmap://data/../evil"}, "spec.dataset.uri"),
    "a second line in an address": ({"spec.dataset.uri": f"{ADDRESS}\nevil: true"}, "spec.dataset.uri"),
    "a runtime by a path": ({"spec.runtime": "../evil"}, "spec.runtime"),
    "a registry's query": ({"spec.registryName": "a' or name like 'evil"}, "spec.registryName"),
    "a registry's path": ({"spec.registryName": "../evil"}, "spec.registryName"),
    "a query in a feature's name": ({f"{FIRST}.name": 'age"} or vector(1) #evil'}, f"{FIRST[:-2]}[0].name"),
    "a template in a feature's name": ({f"{FIRST}.name": "{{evil}}"}, f"{FIRST[:-2]}[0].name"),
    "a query in a target's name": ({"spec.target.name": 'num"} or evil'}, "spec.target.name"),
    "a query in a slice": (
        {"spec.gates.checks": [{"metric": "recall", "maxGap": 0.1, "slice": 'sex"} or evil'}]},
        "spec.gates.checks",
    ),
    "an alias of the operator's": ({"spec.version": "@serving"}, "spec.version"),
    "an alias with a path": ({"spec.version": "@../../evil"}, "spec.version"),
    "a setting in an ingress path": ({"spec.serving.ingress.path": "/;}evil{"}, "spec.serving.ingress.path"),
    "a second line in a host": ({"spec.serving.ingress.host": "a.example\nevil"}, "spec.serving.ingress.host"),
    "a certificate of another namespace": (
        {"spec.serving.ingress.tlsSecretName": f"{VICTIM}/evil"},
        "spec.serving.ingress.tlsSecretName",
    ),
    "a gateway by a path": (
        {"spec.serving.route": {"gateway": {"name": "../evil"}}},
        "spec.serving.route.gateway.name",
    ),
    "as many pods as there are numbers": ({"spec.serving.replicas": 2**31 - 1}, "spec.serving.replicas"),
    "an autoscaler without end": (
        {"spec.serving.autoscaling.maxReplicas": 10**9},
        "spec.serving.autoscaling.maxReplicas",
    ),
    "a training without end": ({"spec.training.timeoutSeconds": 2**40}, "spec.training.timeoutSeconds"),
    "trials without end": ({"spec.training.tuning": {"trials": 10**9}}, "spec.training.tuning.trials"),
    "retries without end": ({"spec.training.backoffLimit": 10**6}, "spec.training.backoffLimit"),
    "a status without end": ({"spec.rollout.historyLimit": 10**9}, "spec.rollout.historyLimit"),
    "a book for a description": ({f"{FIRST}.description": "evil" * 10**5}, f"{FIRST[:-2]}[0].description"),
    "features without end": (
        {"spec.features": [{"name": f"f{i}", "type": "boolean"} for i in range(5000)]},
        "spec.features",
    ),
    "memory that is no amount": (
        {"spec.serving.resources": {"limits": {"memory": "1e400Gi"}}},
        "spec.serving.resources.limits.memory",
    ),
    "a name that is a path": ({"metadata.name": "../evil"}, "metadata.name"),
    "an order in somebody else's name": (
        {
            "metadata.annotations": {
                Annotation.COMMAND: f"promote 1 sha256:{'ab' * 32} evil",
                Annotation.COMMAND_BY: "admin",
            }
        },
        "must be the user of the request",
    ),
}
"""By the schema, its rules or the admission policy; with what the refusal names."""

INERT: dict[str, Changes] = {
    "a template in a description": {f"{FIRST}.description": "{{ evil }} {% evil %} ${evil}"},
    "a variable of the pod's": {f"{FIRST}.unit": "$(HEARTOPS_TRACKING_URI)$(evil)"},
    "the end of a query in a category": {"spec.features.1.values": ['"} or vector(1) # evil', "b"]},
    "markup in a class's name": {"spec.target.labels": ["<script>evil</script>", "b"]},
    "a shell in a spelling": {"spec.dataset.missingValues": ["`evil`", "$(evil)", "; evil"]},
    "a second document in a text": {"spec.target.description": "evil\n---\nkind: Pod"},
    "labels that mean something": {"metadata.labels": {"app.kubernetes.io/managed-by": "evil"}},
    "annotations that mean something": {"metadata.annotations": {"sidecar.istio.io/inject": "evil"}},
    "all of the memory": {"spec.training.resources": {"limits": {"memory": "900Ti", "cpu": "100000"}}},
    "as much for its pods": {
        "spec.serving.resources": {"requests": {"memory": "900Ti"}, "limits": {"memory": "900Ti"}}
    },
}
"""Taken as what it is: text for people, or a wish within the administrator's bounds."""

NAMED: dict[str, tuple[Changes, str]] = {
    "another namespace's registered model": ({"spec.registryName": f"{VICTIM}.heart"}, "spec.registryName"),
    "an unknown runtime": ({"spec.runtime": "privileged"}, "spec.runtime"),
    "the node's metadata": ({"spec.dataset.uri": "http://169.254.169.254/latest/evil"}, "spec.dataset.uri"),
    "an address inside": ({"spec.dataset.uri": "https://10.0.0.1/evil"}, "spec.dataset.uri"),
    "a name inside": ({"spec.dataset.uri": "https://kubernetes.default.svc/evil"}, "spec.dataset.uri"),
    "a host that looks like an allowed one": (
        {"spec.dataset.uri": "https://example.org.evil.net/x"},
        "spec.dataset.uri",
    ),
    "an allowed host as a user": ({"spec.dataset.uri": "https://example.org@evil.net/x"}, "spec.dataset.uri"),
}
"""Not ready, the message names the field; nothing is made."""

SCHEDULES: dict[str, tuple[Changes, str]] = {
    "a model of another namespace": ({"spec.modelName": f"{VICTIM}/heart"}, "spec.modelName"),
    "a file as time zone": ({"spec.timeZone": "../../etc/evil"}, "spec.timeZone"),
    "a shell in a cron": ({"spec.schedule": "* * * * $(evil)"}, "five cron fields"),
    "a cron without end": ({"spec.schedule": "1," * 10**5 + "1 * * * *"}, "spec.schedule"),
    "trainings without end": ({"spec.maxRunsPerWeek": 10**6}, "spec.maxRunsPerWeek"),
    "a look at everything": ({"spec.drift": {"minSamples": 10**12}}, "spec.drift.minSamples"),
    "a Job of one's own": ({"spec.modelName": "../evil"}, "spec.modelName"),
}
"""Rejected by the RetrainSchedule's schema."""


def attacked_model(namespace: str, name: str) -> Resource:
    """A HeartModel to change."""
    return {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "HeartModel",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "dataset": {"uri": ADDRESS},
            "target": {"name": "num", "positiveAbove": 0},
            "features": [
                {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
                {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
            ],
            "gates": {"checks": [{"metric": "roc_auc", "min": 0.8}]},
            "serving": {"ingress": {"className": "public", "host": "heart.example.org"}},
            "rollout": {"steps": []},
        },
    }


def attacked_schedule(namespace: str) -> Resource:
    """A RetrainSchedule to change."""
    return {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "RetrainSchedule",
        "metadata": {"namespace": namespace, "name": "weekly"},
        "spec": {"modelName": "heart", "schedule": "0 3 * * 0"},
    }
