"""Times as the API writes them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str) -> datetime:
    return datetime.fromisoformat(text)


def compact(moment: datetime) -> str:
    """For names and identities: `20261122T030000Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
