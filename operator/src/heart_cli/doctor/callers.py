"""Check of models that demand API keys: each has one."""

from collections.abc import Iterator

from heart_api.kube.kinds import HEART_MODEL, SECRET
from heart_api.names import api_keys_name
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.reader import Reader

AREA = "callers"


def check_callers(models: Reader) -> Iterator[Finding]:
    """Names of the Secrets' entries alone are looked at; no finding where no model demands a key."""
    for model in models.objects(HEART_MODEL):
        name = model["metadata"]["name"]
        if (model["spec"].get("serving") or {}).get("auth") != "APIKey":
            continue
        found = models.object(SECRET, api_keys_name(name))
        callers = sorted((found or {}).get("data") or ())
        if callers:
            yield Finding("ok", AREA, f"{name} admits {', '.join(callers)}")
        else:
            message = f"{name} demands an API key and has none: every request is answered 401"
            yield Finding("problem", AREA, message, f"kubectl heart key create {name} CALLER -n {models.namespace}")
