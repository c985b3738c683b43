"""Errors of model files."""


class ModelRejected(Exception):
    """The model file must not be served; the message says why and what to do."""
