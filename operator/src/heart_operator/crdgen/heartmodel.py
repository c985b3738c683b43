"""The kind HeartModel."""

from heart_api.heartmodel import NAME_RULE, HeartModelSpec, HeartModelStatus
from heart_api.meanings import CONDITIONS, REASONS
from heart_api.names import API_VERSION, GROUP, Condition
from heart_operator.crdgen.definition import Definition, column, condition

DESCRIPTION = (
    "HeartModel is a tabular model that the cluster trains, gates and serves: the latest version that passed its"
    " gates is served behind a Service of the same name."
)
COLUMNS = (
    column(
        "Ready",
        condition(Condition.READY, "status"),
        description="The desired version serves with the desired number of replicas.",
    ),
    column("Version", ".status.serving.version", description="The serving version."),
    column("Candidate", ".status.candidate.version", description="The version being rolled out."),
    column(
        "Weight",
        ".status.candidate.actualWeight",
        kind="integer",
        description="Traffic weight of the candidate, in percent.",
    ),
    column("Gate", ".status.gate", description="Gate result of the latest version."),
    column("Drift", ".status.drift.verdict", description="Verdict of the latest drift check."),
    column("URL", ".status.serving.url", description="URL for prediction requests."),
    column("Reason", condition(Condition.READY, "reason"), wide=True, description="Reason of the Ready condition."),
    column("Training", ".status.training.phase", wide=True, description="Phase of the latest training."),
    column("Replicas", ".status.replicas", kind="integer", wide=True, description="Number of serving pods."),
    column("Age", ".metadata.creationTimestamp", kind="date"),
)
SCALE = {
    "specReplicasPath": ".spec.serving.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}
EXAMPLE = f"""\
apiVersion: {GROUP}/{API_VERSION}
kind: HeartModel
metadata: {{name: heart-disease, namespace: clinic}}
spec:
  dataset: {{uri: "builtin://heart-synthetic"}}
  target: {{name: num, positiveAbove: 0}}
  features:
    - {{name: age, type: number, minimum: 0, maximum: 120, unit: years}}
    - {{name: sex, type: category, values: [0, 1], sensitive: true}}
"""

HEART_MODEL = Definition(
    kind="HeartModel",
    plural="heartmodels",
    short_name="hm",
    description=DESCRIPTION,
    spec=HeartModelSpec,
    status=HeartModelStatus,
    columns=COLUMNS,
    name_rule=NAME_RULE,
    example=EXAMPLE,
    conditions=CONDITIONS,
    reasons=REASONS,
    subresources={"status": {}, "scale": SCALE},
)
