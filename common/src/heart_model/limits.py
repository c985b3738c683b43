"""Bounds of model files, and the error for a source that must not be used."""

MAX_MODEL_BYTES = 512 * 1024 * 1024
"""More than any tabular model needs; a larger file is a mistake or an attack."""


class ArtifactRejected(Exception):
    """An answer that will not get better: not found, not allowed, the wrong bytes."""
