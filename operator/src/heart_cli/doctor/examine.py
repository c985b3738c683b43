"""All checks, in the order in which a person would correct what they find."""

from collections.abc import Callable, Iterator
from functools import partial

from heart_cli.client import Client
from heart_cli.doctor.callers import check_callers
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.installation import check_crds, check_database, check_jobs, check_mlflow, check_operator
from heart_cli.doctor.monitoring import check_metrics_api, check_monitoring
from heart_cli.doctor.namespace import check_gateway, check_images, check_models, check_secret, check_storage
from heart_cli.doctor.reader import Reader
from heart_cli.doctor.rights import check_operator_rights, check_registry_rights
from heart_cli.doctor.scraping import check_scraping
from heart_cli.doctor.sites import check_sites
from heart_cli.errors import ApiFailure

Check = Callable[[], Iterator[Finding]]


def examine(client: Client, system_namespace: str, own_version: str) -> list[Finding]:
    """Findings about the installation and about the client's namespace.

    Raises ApiFailure if the API server cannot be reached.
    """
    models, system = Reader(client), Reader(client.elsewhere(system_namespace))
    checks: tuple[tuple[str, Check], ...] = (
        ("CRDs", partial(check_crds, system)),
        ("operator", partial(check_operator, system, own_version)),
        ("MLflow", partial(check_mlflow, system)),
        ("database", partial(check_database, system)),
        ("Jobs", partial(check_jobs, system)),
        ("storage", partial(check_storage, system, models)),
        ("images", partial(check_images, system, models)),
        ("Secret", partial(check_secret, system, models)),
        ("callers", partial(check_callers, models)),
        ("permissions", partial(check_operator_rights, system, models)),
        ("permissions", partial(check_registry_rights, models)),
        ("monitoring", partial(check_monitoring, system, models)),
        ("monitoring", partial(check_scraping, system, models)),
        ("autoscaling", partial(check_metrics_api, models)),
        ("Gateway", partial(check_gateway, models)),
        ("models", partial(check_models, models)),
        ("sites", partial(check_sites, models)),
    )
    found = (finding for area, check in checks for finding in guarded(area, check))
    return list(dict.fromkeys(found))  # two checks may not be allowed the same


def guarded(area: str, check: Check) -> Iterator[Finding]:
    """What the user may not read is a finding, too; the other checks go on."""
    try:
        yield from check()
    except ApiFailure as error:
        if error.status != 403:
            raise
        yield Finding("unknown", area, f"not checked: {error}", "Run it as a cluster administrator")
