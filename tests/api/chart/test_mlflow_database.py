"""The chart's upgrade of MLflow's tables: from another release's, from its own, and from none."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from alembic import command
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.cli import cli
from mlflow.store.db.utils import InitialBase, _get_alembic_config  # no public way leads to an older schema
from sqlalchemy import create_engine, text

from tests.support.registry.postgres import Postgres, running_postgres

pytestmark = pytest.mark.api

CHART = Path(__file__).resolve().parents[3] / "charts" / "heartops"
MODEL = "clinic.heart"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def uri(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    name = request.node.name
    engine = create_engine(with_driver(postgres.url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return with_driver(postgres.url_of("postgres", database=name))


def with_driver(url: str) -> str:
    """MLflow's image has this one."""
    return url.replace("postgresql://", "postgresql+psycopg2://")


def pod(*options: str) -> dict[str, list[dict[str, list[str]]]]:
    """MLflow's, as the chart has it."""
    words = ("helm", "template", "heartops", str(CHART), "--kube-version", "1.34", *options)
    text = subprocess.run((*words, "--show-only", "templates/mlflow.yaml"), capture_output=True, check=True).stdout
    deployment = next(found for found in yaml.safe_load_all(text) if found["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]


def upgrade(uri: str) -> None:
    """As the init container does."""
    (container,) = pod("--set", "mlflow.upgradeDatabase=true")["initContainers"]
    arguments = [word.replace("$(MLFLOW_BACKEND_STORE_URI)", uri) for word in container["args"]]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output


def tables_of_the_release_before(uri: str) -> None:
    """With a registered model in them."""
    config, engine = _get_alembic_config(uri), create_engine(uri)
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_revision("head")
    assert newest
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, str(newest.down_revision))
        connection.execute(text("INSERT INTO registered_models (name) VALUES (:name)"), {"name": MODEL})
    engine.dispose()


def revision(uri: str) -> str:
    engine = create_engine(uri)
    with engine.connect() as connection:
        found: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return found


def test_tables_of_another_release_are_upgraded_and_keep_their_rows(uri: str) -> None:
    tables_of_the_release_before(uri)
    before = revision(uri)
    upgrade(uri)
    assert revision(uri) != before
    assert MlflowClient(uri).get_registered_model(MODEL).name == MODEL


def test_again_and_from_nothing(uri: str) -> None:
    """The flag may stay, also in the values of a new installation."""
    upgrade(uri)
    first = revision(uri)
    MlflowClient(uri).create_registered_model(MODEL)
    upgrade(uri)
    assert revision(uri) == first
    assert MlflowClient(uri).get_registered_model(MODEL).name == MODEL


def test_nothing_is_upgraded_unasked() -> None:
    assert "initContainers" not in pod()
