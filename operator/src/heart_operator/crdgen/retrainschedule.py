"""The kind RetrainSchedule."""

from heart_api.names import API_VERSION, GROUP, ScheduleCondition
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_api.schedulemeanings import CONDITIONS, REASONS
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_operator.crdgen.definition import LABEL_NAME, Definition, column, condition

COLUMNS = (
    column(
        "Ready",
        condition(ScheduleCondition.READY, "status"),
        description="The schedule is active, or suspended as requested.",
    ),
    column("Model", ".spec.modelName", description="The HeartModel to retrain."),
    column("Schedule", ".spec.schedule", description="Cron schedule."),
    column("Suspend", ".spec.suspend", kind="boolean", description="True if the schedule is suspended."),
    column("Active", ".status.active[*]", description="Training Job of the active run."),
    column("Drift", ".status.lastDrift.share", kind="number", description="Share of drifted features."),
    column("Last", ".status.lastScheduleTime", kind="date", description="Last scheduled time that was acted on."),
    column("Next", ".status.nextScheduleTime", description="Next scheduled time."),
    column(
        "Reason",
        condition(ScheduleCondition.READY, "reason"),
        wide=True,
        description="Reason of the Ready condition.",
    ),
    column("Run", ".status.runs[0].phase", wide=True, description="Phase of the latest run."),
    column("Version", ".status.runs[0].version", wide=True, description="Version registered by the latest run."),
    column("Gate", ".status.runs[0].gate", wide=True, description="Gate result of that version."),
    column("Rollout", ".status.runs[0].rollout", wide=True, description="Rollout result of that version."),
    column("Age", ".metadata.creationTimestamp", kind="date"),
)

RETRAIN_SCHEDULE = Definition(
    kind="RetrainSchedule",
    plural="retrainschedules",
    short_name="rts",
    description=(
        "RetrainSchedule retrains a HeartModel: on a cron schedule, when the live data drift, or when a performance"
        " metric falls below its threshold. The new version passes gates and rollout like any other."
        ""
    ),
    spec=RetrainScheduleSpec,
    status=RetrainScheduleStatus,
    columns=COLUMNS,
    name_rule=LABEL_NAME,
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
