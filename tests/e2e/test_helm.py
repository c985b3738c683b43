"""`helm test` asks the operator and MLflow inside of the cluster."""

from tests.e2e.kit import RELEASE, SYSTEM
from tests.e2e.release import helm


def test_an_installation_answers_its_own_test() -> None:
    said = helm("test", RELEASE, "-n", SYSTEM, "--timeout", "3m")
    assert "Phase:          Succeeded" in said
