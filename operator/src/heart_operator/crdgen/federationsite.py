"""The kind FederationSite."""

from heart_api.federationsite import FederationSiteSpec
from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.names import API_VERSION, GROUP, SiteCondition
from heart_api.sitemeanings import CONDITIONS, REASONS
from heart_operator.crdgen.definition import LABEL_NAME, Definition, column, condition

COLUMNS = (
    column(
        "Ready",
        condition(SiteCondition.READY, "status"),
        description="The site can take part in the training of at least one allowed model.",
    ),
    column("Reason", condition(SiteCondition.READY, "reason"), description="Reason of the Ready condition."),
    column("Rows", ".status.rows", kind="integer", description="Number of valid rows, rounded down."),
    column("Models", ".spec.allow[*].model", description="Models that may be trained on the data."),
    column("Training", ".status.trainings[0].phase", description="The site's part in the latest training."),
    column("Last", ".status.lastTrainingTime", kind="date", description="When its part in a training last ended."),
    column("Suspend", ".spec.suspend", kind="boolean", wide=True, description="True if the consent is suspended."),
    column("Error", ".status.lastError", wide=True, description="Why the latest check or training failed."),
    column("Age", ".metadata.creationTimestamp", kind="date"),
)

FEDERATION_SITE = Definition(
    kind="FederationSite",
    plural="federationsites",
    short_name="fsite",
    description=(
        "FederationSite is a data holder's consent: the models in `allow` may be trained on the data of this namespace,"
        " which stay here. Sums over many rows leave, and no row does. Deleting it, `suspend` and removing a model"
        " withdraw the consent at once."
    ),
    spec=FederationSiteSpec,
    status=FederationSiteStatus,
    columns=COLUMNS,
    name_rule=LABEL_NAME,
    example=f"""\
apiVersion: {GROUP}/{API_VERSION}
kind: FederationSite
metadata: {{name: hospital-01, namespace: hospital-01}}
spec:
  dataset: {{uri: "pvc://cohort/vitals.csv"}}
  allow:
    - {{model: clinic/health-risk}}
""",
    conditions=CONDITIONS,
    reasons=REASONS,
)
