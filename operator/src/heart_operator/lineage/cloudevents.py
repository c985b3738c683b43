"""An entry of the outbox as a CloudEvent (CloudEvents 1.0, structured mode, JSON)."""

from datetime import datetime

from cloudevents.core.bindings.http import to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from heart_api.names import GROUP
from heart_api.outbox import OutboxEntry

PREFIX = "dev.heartops.heartmodel"
FORMAT = JSONFormat()


def cloud_event(entry: OutboxEntry) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request."""
    about = entry.data
    attributes = {
        "id": entry.id,
        "source": f"/apis/{GROUP}/namespaces/{about['namespace']}/heartmodels/{about['name']}",
        "type": f"{PREFIX}.{entry.type}",
        "time": datetime.fromisoformat(entry.time),
        "datacontenttype": "application/json",
    }
    if version := about.get("version"):
        attributes["subject"] = f"version/{version}"
    message = to_structured(CloudEvent(attributes, dict(about)), FORMAT)
    return dict(message.headers), bytes(message.body)
