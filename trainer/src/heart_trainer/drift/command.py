"""`python -m heart_trainer drift`: a check in a Job; the request is in the environment."""

import sys
import traceback
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from heart_api.drift import CHECK_REQUEST, CheckOutcome, CheckRequest
from heart_api.handover import EXIT_PERMANENT, Env
from heart_trainer.drift.check import CheckJob, check
from heart_trainer.drift.errors import CheckError
from heart_trainer.drift.outcome import failed, write_outcome
from heart_trainer.mlflow.client import RegistryUnavailable

EXIT_PASSING = 1


def run_check(environ: Mapping[str, str], progress: Callable[[str], None]) -> int:
    """The process's exit code; what was found, or why nothing was, is in the termination message."""
    outcome, code = _outcome(environ, progress)
    if outcome.failure:
        print(f"{outcome.failure.reason}: {outcome.failure.message}", file=sys.stderr)
    elif outcome.result:
        told = [found.message for found in (outcome.result.drift, outcome.result.performance) if found]
        print("\n".join(told))
    write_outcome(environ.get(Env.TERMINATION_LOG), outcome)
    return code


def _outcome(environ: Mapping[str, str], progress: Callable[[str], None]) -> tuple[CheckOutcome, int]:
    """Run the check of the environment's request: what the Job reports, and its exit code. Raises nothing."""
    try:
        request = CheckRequest.model_validate_json(environ.get(CHECK_REQUEST, ""))
    except ValidationError:
        message = f"{CHECK_REQUEST} is not a request that this trainer reads; the operator sets it"
        return failed("CheckFailed", message), EXIT_PERMANENT
    try:
        return CheckOutcome(result=check(CheckJob(request, environ, environ[Env.TRACKING_URI], progress))), 0
    except CheckError as error:
        return failed(error.reason, error.message), EXIT_PERMANENT if error.permanent else EXIT_PASSING
    except RegistryUnavailable as error:
        return failed("RegistryUnavailable", error.message), EXIT_PASSING
    except KeyboardInterrupt:
        return failed("CheckInterrupted", "It was stopped before it ended; the Job tries again"), EXIT_PASSING
    except Exception as error:
        traceback.print_exc()
        return failed("CheckFailed", f"{type(error).__name__} in the check; its log says where"), EXIT_PASSING
