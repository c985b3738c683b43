"""Objects of the demo, applied in its own name."""

import json
from typing import Any

from hack.demo.place import Place


def apply(place: Place, manifest: dict[str, Any]) -> None:
    options = ("--server-side", "--force-conflicts", "--field-manager=heartops-demo")
    place.kubectl("apply", *options, "-f", "-", stdin=json.dumps(manifest))
