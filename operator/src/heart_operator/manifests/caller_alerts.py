"""Alert on a model that admits nobody: no API key was made, or the issuer of tokens has not been reached."""

from heart_api.heartmodel import HeartModel
from heart_api.metrics import CALLER_KEYS
from heart_operator.manifests.alerting import Rule, alert, matchers

HOLD = "10m"
ADVICE = {
    "APIKey": "Make a key: `kubectl heart key create`.",
    "JWT": "The pods' logs say why the issuer's keys cannot be read: `kubectl heart logs`.",
}


def caller_alerts(model: HeartModel) -> list[Rule]:
    """None for a model whose callers need not say who they are."""
    if model.spec.serving.auth == "None":
        return []
    return [
        alert(
            model,
            "HeartModelAdmitsNobody",
            f"max by (namespace, model_name) ({CALLER_KEYS}{matchers(model)}) == 0",
            "warning",
            hold=HOLD,
            summary="admits no caller",
            description=f"spec.serving.auth is {model.spec.serving.auth}, and no serving pod has had a key for 10"
            f" minutes: every request is answered 401. {ADVICE[model.spec.serving.auth]}",
        )
    ]
