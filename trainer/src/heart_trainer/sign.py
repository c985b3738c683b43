"""`python -m heart_trainer sign`: signs a registered version with a key of the platform; the result is a tag."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from heart_api.handover import Env, Tag
from heart_model.signing import BadKey, sign, subject
from heart_trainer.errors import TrainerError
from heart_trainer.manifest import BadManifest, read_manifest
from heart_trainer.mlflow.client import Store

PASSWORD = "HEARTOPS_SIGNING_PASSWORD"  # noqa: S105  a variable's name
DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def run_sign(words: Sequence[str]) -> int:
    """Sign what the digest names, and print what was done. Returns the exit code.

    The digest is given and not read from MLflow, so that nobody signs what somebody else has put there meanwhile.
    """
    options = _parser().parse_args(words)
    try:
        digest = DIGEST.fullmatch(options.digest)
        if digest is None:
            raise BadManifest("--digest: write the version's digest from the HeartModel's status.candidate: sha256:…")
        request = read_manifest(options.manifest, trigger="sign")
        password = os.environ.get(PASSWORD)
        signature = sign(
            subject(request.namespace, request.name),
            digest[1],
            options.key.read_bytes(),
            password.encode() if password else None,
        )
        store = Store(options.tracking_uri or os.environ.get(Env.TRACKING_URI, ""))
        with store.speaking():
            store.client.set_model_version_tag(request.registry_name, options.version, Tag.SIGNATURE, signature)
    except (BadManifest, BadKey, OSError) as problem:
        print(f"not signed: {problem}", file=sys.stderr)
        return 2
    except TrainerError as error:
        print(f"not signed: {error.message}", file=sys.stderr)
        return 1
    print(f"signed      version {options.version} of {request.registry_name} (sha256:{digest[1]})")
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Sign a registered version with an elliptic-curve key, in the form of OpenSSF Model Signing."
    parser = argparse.ArgumentParser(prog="python -m heart_trainer sign", description=about)
    parser.add_argument("manifest", type=Path, help="YAML file with the HeartModel")
    parser.add_argument("--version", required=True, help="the version's number")
    parser.add_argument("--digest", required=True, help="of its model file, from the HeartModel's status.candidate")
    parser.add_argument("--key", required=True, type=Path, help=f"private key (PEM); its password in {PASSWORD}")
    parser.add_argument("--tracking-uri", help=f"MLflow ({Env.TRACKING_URI})")
    return parser
