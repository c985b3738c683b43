"""The kind HeartModel."""

from heart_api.heartmodel import NAME_RULE, HeartModelSpec, HeartModelStatus
from heart_api.names import API_VERSION, GROUP, Condition
from heart_operator.crdgen.definition import Definition, column, condition
from heart_operator.crdgen.meanings import CONDITIONS, REASONS

DESCRIPTION = (
    "HeartModel is a tabular model that the cluster trains, gates and serves: the newest version that passed its"
    " gates answers behind a Service of the same name."
)
COLUMNS = (
    column(
        "Ready", condition(Condition.READY, "status"), description="The wanted version serves with the wanted replicas."
    ),
    column("Version", ".status.serving.version", description="The version that serves."),
    column("Candidate", ".status.candidate.version", description="The version on its way to serve."),
    column("Weight", ".status.candidate.actualWeight", kind="integer", description="Its share of the traffic, in %."),
    column("Gate", ".status.gate", description="The newest version's gates."),
    column("Drift", ".status.drift.verdict", description="Whether its live data have moved away from the training's."),
    column("URL", ".status.serving.url", description="Where to send predictions."),
    column("Reason", condition(Condition.READY, "reason"), wide=True, description="Why it is ready, or is not."),
    column("Training", ".status.training.phase", wide=True, description="The newest training."),
    column("Replicas", ".status.replicas", kind="integer", wide=True, description="Serving pods."),
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
