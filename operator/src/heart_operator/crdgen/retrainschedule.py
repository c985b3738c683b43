"""The kind RetrainSchedule."""

from heart_api.names import API_VERSION, GROUP
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_api.rules import rule
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_operator.crdgen.definition import Definition, column
from heart_operator.crdgen.schedulemeanings import CONDITIONS, REASONS

NAME_RULE = rule(
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name is also a label: at most 63 of a-z, 0-9 and -",
)
COLUMNS = (
    column("Model", ".spec.modelName", description="The HeartModel that is trained again."),
    column("Schedule", ".spec.schedule", description="When, as cron writes it."),
    column("Suspend", ".spec.suspend", kind="boolean", description="Whether nothing is started."),
    column("Active", ".status.active[*]", description="The training Job of the run under way."),
    column("Drift", ".status.lastDrift.share", kind="number", description="Share of drifted features."),
    column("Last", ".status.lastScheduleTime", kind="date", description="The newest tick that was acted on."),
    column("Next", ".status.nextScheduleTime", description="The next tick."),
    column("Run", ".status.runs[0].phase", wide=True, description="The newest run."),
    column("Version", ".status.runs[0].version", wide=True, description="What it registered."),
    column("Gate", ".status.runs[0].gate", wide=True, description="What the gate said of that."),
    column("Rollout", ".status.runs[0].rollout", wide=True, description="What became of it then."),
    column("Age", ".metadata.creationTimestamp", kind="date"),
)

RETRAIN_SCHEDULE = Definition(
    kind="RetrainSchedule",
    plural="retrainschedules",
    short_name="rts",
    description=(
        "RetrainSchedule says when a HeartModel is trained again: by the clock, when the live data drift away from the"
        " training, or when a figure of quality falls. What was trained goes through gates and rollout like any other."
    ),
    spec=RetrainScheduleSpec,
    status=RetrainScheduleStatus,
    columns=COLUMNS,
    name_rule=NAME_RULE,
    example=f"""\
apiVersion: {GROUP}/{API_VERSION}
kind: RetrainSchedule
metadata: {{name: heart-disease, namespace: clinic}}
spec:
  modelName: heart-disease
  schedule: "0 3 * * 0"
""",
    conditions=CONDITIONS,
    reasons=REASONS,
)
