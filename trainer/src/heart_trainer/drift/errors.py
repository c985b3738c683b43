"""What ends a check without a finding, as a person should read it."""

from heart_api.drift import CheckFailureReason


class CheckError(Exception):
    """`permanent`: a retry cannot mend it (the Job exits with EXIT_PERMANENT)."""

    def __init__(self, reason: CheckFailureReason, message: str, permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.permanent = permanent
