"""What each condition and each reason of a FederationSite means; a test sees that none is forgotten."""

from heart_api.explained import Explained
from heart_api.names import SiteCondition, SiteReason

CONDITIONS = {
    SiteCondition.READY: "The site can take part in the training of at least one allowed model.",
    SiteCondition.CHECKED: "The data were read, and keep the contract of every allowed model that names the site.",
    SiteCondition.STALLED: "A person has to act: Ready is False for the same reason (kstatus; absent otherwise).",
}

REASONS = {
    SiteReason.READY: Explained("The site can take part in trainings."),
    SiteReason.TRAINING: Explained("The site takes part in a training now."),
    SiteReason.ELSEWHERE: Explained(
        "The site is outside this cluster and dials in by itself: its data are checked there.",
        "Nothing; docs/federated.md has the page for its IT.",
    ),
    SiteReason.NOTHING_ALLOWED: Explained(
        "`spec.allow` is empty: no model may be trained on the data.",
        "Add the models to `spec.allow`, as `namespace/name`.",
    ),
    SiteReason.WAITING_FOR_MODEL: Explained(
        "None of the allowed models exists and names this site in `spec.federation`.",
        "Ask the model's owner to name the site; correct the reference in `spec.allow`.",
    ),
    SiteReason.TOO_FEW_ROWS: Explained(
        "The data have fewer valid rows than `spec.minimumRows`.",
        "Collect more rows, or lower `minimumRows` if so few do not say too much about single persons.",
    ),
    SiteReason.SUSPENDED: Explained("`spec.suspend` is true: no model gets anything.", "Set `spec.suspend` to false."),
    SiteReason.INVALID_SPEC: Explained(
        "The spec is invalid; the message names the field.", "Correct the named field and apply the resource again."
    ),
    SiteReason.APPLY_FAILED: Explained(
        "The API server rejected a write of the operator; the message says why.",
        "Remove what the message names: a conflicting object, a missing permission (operator/RBAC.md) or an"
        " admission policy. The operator retries.",
    ),
    SiteReason.CHECKED: Explained("The data keep the contracts."),
    SiteReason.CHECKING: Explained(
        "A check Job is reading the data.", "Wait; `kubectl logs job/NAME` shows its progress."
    ),
    SiteReason.CHECK_FAILED: Explained(
        "The data could not be read; the message says why. An attempt whose pod was lost or could not start, or whose"
        " data source did not answer, is repeated after a minute, after ten, and after an hour.",
        "Correct `spec.dataset` or the data; a change of the spec, or deleting the check Job, checks again at once.",
    ),
    SiteReason.CHECK_PENDING: Explained(
        "The check Job has no running pod; the message says why and what to do.",
        "Do what the message says; `kubectl heart doctor` checks images, storage and permissions.",
    ),
    SiteReason.CONTRACT_MISMATCH: Explained(
        "Columns break the contract of a model, or the consent is for another contract.",
        "Correct the columns in `status.problems`; renew `contractHash` if you agree with the new contract.",
    ),
    SiteReason.TRAINING_JOINED: Explained("Event: the site takes part in a training."),
    SiteReason.TRAINING_LEFT: Explained("Event: the site's part in a training ended."),
    SiteReason.CONSENT_WITHDRAWN: Explained(
        "Event: the consent ended during a training, and the site's Job was removed.",
        "Nothing: the model's `onMissingSite` decides whether the others go on.",
    ),
}
