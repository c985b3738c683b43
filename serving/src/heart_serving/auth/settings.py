"""Where the files about callers are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heart_api.authentication import CA_FILE
from heart_api.handover import Env


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Files and folders that are mounted into the pod."""

    file: Path
    """AuthConfig as JSON."""
    keys: Path = Path("/nonexistent")
    """A file of hashes for each caller."""
    jwks: Path = Path("/nonexistent")
    """A JSON Web Key Set, in the folder of a mounted ConfigMap."""

    @property
    def authorities(self) -> Path:
        """Certificates that vouch for the address of the issuer's keys; the file may be missing."""
        return self.jwks.with_name(CA_FILE)


def read_auth_settings(environ: Mapping[str, str]) -> AuthSettings | None:
    """None: nobody has to say who they are."""
    if not (file := environ.get(Env.AUTH_FILE)):
        return None
    found = {"keys": environ.get(Env.API_KEYS), "jwks": environ.get(Env.JWKS_FILE)}
    return AuthSettings(Path(file), **{name: Path(path) for name, path in found.items() if path})
