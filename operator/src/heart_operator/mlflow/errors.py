"""What goes wrong with MLflow."""


class RegistryError(Exception):
    """MLflow answered something that cannot be used; the message says what."""
