"""What the pod's environment says of its prediction log."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from heart_api.handover import Env
from heart_api.predictionlog import PredictionLog
from heart_serving.errors import SettingsError
from heart_serving.predictionlog.proofs import read_keys

SILENT = PredictionLog(sink="None")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`url` is empty where the namespace's Secret names no database, `proof_keys` where it has no key."""

    spec: PredictionLog = SILENT
    url: str = field(default="", repr=False)
    proof_keys: tuple[bytes, ...] = field(default=(), repr=False)


NO_LOG = LogSettings()


def read_log_settings(environ: Mapping[str, str]) -> LogSettings:
    """On a laptop nobody sets the spec: a database's address alone is enough to log. Raises SettingsError."""
    url = environ.get(Env.DATABASE_URL, "")
    text = environ.get(Env.PREDICTION_LOG)
    keys = read_keys(environ.get(Env.PROOF_KEY, ""))
    if not keys and url.startswith("sqlite:"):
        keys = (secrets.token_bytes(),)  # a file belongs to one process: nobody has to share its key
    if not text:
        return LogSettings(PredictionLog() if url else SILENT, url, keys)
    try:
        return LogSettings(PredictionLog.model_validate_json(text), url, keys)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        raise SettingsError(f"{Env.PREDICTION_LOG} is not readable at {where or 'its start'}") from None
