"""Why a site's connection to the coordinator fails."""


class Unreachable(Exception):
    """The coordinator does not answer now: it may later."""


class Untrusted(Exception):
    """Whoever answers has no certificate of the coordinator's authority."""


class Unknown(Exception):
    """The coordinator does not know this site's key, or not any more."""
