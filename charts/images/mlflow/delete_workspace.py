"""Delete what MLflow keeps of a namespace, for good; part of the MLflow image, run in its pod by `kubectl heart`.

`mlflow gc` deletes what was marked as deleted, of runs and experiments. A later namespace of the same name must find
nothing: registered models, experiments, runs, traces, webhooks and secrets go in one transaction, then the files.
Prints one JSON object: how many rows of each table, before (`--dry-run`) or when they are deleted.
"""

import argparse
import json
import os
import re

import mlflow.store.model_registry.dbmodels.models
import mlflow.store.tracking.dbmodels.models  # noqa: F401  both declare the tables
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.db.base_sql_model import Base
from sqlalchemy import ColumnElement, Connection, Table, create_engine, delete, func, or_, select, tuple_

Roots = dict[str, ColumnElement[bool]]
"""By table name, which of its rows are the namespace's; rows that refer to these are, too."""


def roots_of(namespace: str, *, workspaces: bool) -> Roots:
    """With workspaces every table has a column for them; without, names begin with the namespace."""
    tables = Base.metadata.tables
    if workspaces:
        return {name: table.c.workspace == namespace for name, table in tables.items() if "workspace" in table.c}
    named = (tables["registered_models"], tables["experiments"])
    return {table.name: table.c.name.startswith(f"{namespace}.", autoescape=True) for table in named}


def owned(table: Table, roots: Roots) -> ColumnElement[bool] | None:
    """Which rows of the table are the namespace's; None: it has none."""
    if table.name in roots:
        return roots[table.name]
    found = []
    for constraint in table.foreign_key_constraints:
        parent = None if constraint.referred_table is table else owned(constraint.referred_table, roots)
        if parent is not None:
            own = [element.parent for element in constraint.elements]
            theirs = select(*(element.column for element in constraint.elements)).where(parent)
            found.append(own[0].in_(theirs) if len(own) == 1 else tuple_(*own).in_(theirs))
    if not found and "experiment_id" in table.c:
        experiments = Base.metadata.tables["experiments"]
        found = [table.c.experiment_id.in_(select(experiments.c.experiment_id).where(roots["experiments"]))]
    return or_(*found) if found else None


def children_first() -> list[Table]:
    """Tables that refer to others before those, and before all the ones that do so without a foreign key."""
    tables = list(reversed(Base.metadata.sorted_tables))
    return sorted(
        tables,
        key=lambda table: bool(table.foreign_keys) or "experiment_id" not in table.c or table.name == "experiments",
    )


def counted(connection: Connection, roots: Roots) -> dict[str, int]:
    """Rows of the namespace by table, without tables that have none."""
    found = {}
    for table in children_first():
        condition = owned(table, roots)
        if condition is not None:
            found[table.name] = connection.scalar(select(func.count()).select_from(table).where(condition)) or 0
    return {name: count for name, count in found.items() if count}


def folders(connection: Connection, namespace: str, roots: Roots, *, workspaces: bool) -> list[str]:
    """Where the namespace's files are, below the artifacts' destination."""
    if workspaces:
        return [f"workspaces/{namespace}"]
    experiments = Base.metadata.tables["experiments"]
    return [str(found) for found in connection.scalars(select(experiments.c.experiment_id).where(roots["experiments"]))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Delete what MLflow keeps of a namespace.")
    parser.add_argument("namespace")
    parser.add_argument("--artifacts-destination", required=True)
    parser.add_argument("--workspaces", action="store_true", help="the namespace is a workspace")
    parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", options.namespace):
        parser.error(f"{options.namespace!r} is not the name of a namespace")
    roots = roots_of(options.namespace, workspaces=options.workspaces)
    with create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"]).begin() as connection:
        found = counted(connection, roots)
        places = folders(connection, options.namespace, roots, workspaces=options.workspaces)
        for table in () if options.dry_run else children_first():
            condition = owned(table, roots)
            if condition is not None:
                connection.execute(delete(table).where(condition))
    if not options.dry_run:
        files = get_artifact_repository(options.artifacts_destination)
        for place in places:
            files.delete_artifacts(place)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
