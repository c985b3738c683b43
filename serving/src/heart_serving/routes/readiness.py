"""Whether this pod wants requests."""

from dataclasses import dataclass

from starlette.responses import Response


@dataclass(slots=True)
class Readiness:
    """Ready from the start (the server listens when the model has passed its self-check) until the server stops."""

    draining: bool = False

    def check(self, response: Response) -> bool:
        """Return whether the pod is ready; give the response the status 503 when it is not."""
        if self.draining:
            response.status_code = 503
        return not self.draining
