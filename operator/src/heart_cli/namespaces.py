"""Set up a namespace for HeartOps, rotate its password, or remove its set-up.

The namespace has one Secret that trainer and serving pods read and, with the chart's database, a login and a schema of
the prediction log. Each step reads first and then changes what is missing, so that an interrupted command can be
repeated.
"""

import json
from urllib.parse import urlsplit

from heart_api.credentials import LONGEST_NAMESPACE, log_url, new_key, new_password
from heart_api.handover import Env
from heart_api.kube.kinds import HEART_MODEL, SECRET
from heart_api.names import PART_OF, RUNTIME_SECRET, Component, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.logdatabase import NAMESPACES, LogDatabase, find_database, record_uids, recorded_uids, start_job
from heart_cli.mlflowdata import Exec, find_mlflow
from heart_cli.registryrights import grant_registry, revoke_registry
from heart_cli.secretkeys import add_keys, patch_secret, read_secret

SERVING_PODS = f"{Label.PART_OF}={PART_OF},{Label.COMPONENT}={Component.SERVING}"


def init_namespace(client: Client, system: Client | None) -> list[str]:
    """Set up a namespace and report each step. `system`: the namespace of HeartOps itself; None: no prediction log.

    Existing keys are kept: with other ones all stored row hashes, and all proofs given to callers, would be useless.
    """
    database = find_database(system) if system else None
    kept, wanted = read_secret(client, RUNTIME_SECRET), {Env.ROW_KEY: new_key(), Env.PROOF_KEY: new_key()}
    done: list[str] = []
    if system and database:
        wanted[Env.DATABASE_URL], done = join_log(system, database, client, kept.get(Env.DATABASE_URL, ""))
    elif system:
        done = [f"Namespace {system.namespace} has no HeartOps database: the prediction log was not set up"]
    return [*done, add_keys(client, RUNTIME_SECRET, kept, wanted), *grant_registry(client)]


def join_log(system: Client, database: LogDatabase, client: Client, url: str) -> tuple[str, list[str]]:
    """The namespace's address of the log, and what was done for it; `url` is the one that it has already, or empty."""
    namespace = client.namespace
    if len(namespace) > LONGEST_NAMESPACE:
        raise Failure(f"A namespace with a prediction log has a name of at most {LONGEST_NAMESPACE} characters")
    kept, uids = read_secret(system, database.passwords), recorded_uids(system, database)
    uid = namespace_uid(client)
    if namespace in kept and uids.get(namespace, uid) != uid:
        raise Failure(
            f"The prediction log of an earlier namespace {namespace} is still there: delete it with"
            f" kubectl heart offboard-namespace {namespace}, then run this again"
        )
    if url and namespace in kept:
        return url, []
    password = kept.get(namespace) or urlsplit(url).password or new_password()
    recorded = {NAMESPACES: json.dumps(uids | {namespace: uid})}
    added = add_keys(system, database.passwords, kept, {namespace: password}, recorded)
    if namespace in kept:
        record_uids(system, database, uids | {namespace: uid})
    job = start_job(system, database)
    done = f"Job {job} in namespace {system.namespace} creates the login and the tables of the prediction log"
    return log_url(database.host, namespace, password), [added, done]


def rotate_namespace(client: Client, system: Client) -> list[str]:
    """Another password for the namespace's login of the prediction log; what was done, line by line."""
    database, namespace = require_database(system), client.namespace
    if namespace not in read_secret(system, database.passwords):
        raise Failure(f"Namespace {namespace} has no prediction log: run kubectl heart init-namespace {namespace}")
    password = new_password()
    patch_secret(system, database.passwords, {"stringData": {namespace: password}})
    address = {Env.DATABASE_URL: log_url(database.host, namespace, password)}
    patch_secret(client, RUNTIME_SECRET, {"stringData": address})
    job = start_job(system, database)
    return [
        f"Changed {namespace} in the Secret {database.passwords} in namespace {system.namespace}",
        f"Changed {Env.DATABASE_URL} in the Secret {RUNTIME_SECRET} in namespace {namespace}",
        f"Job {job} in namespace {system.namespace} changes the login's password",
    ]


def after_rotation(namespace: str) -> list[str]:
    """What is left to do, line by line."""
    return [
        "Once it has completed, restart the pods that serve; until then what they log waits in memory:",
        f"  kubectl rollout restart deployment --namespace {namespace} --selector {SERVING_PODS}",
    ]


def offboard_namespace(client: Client, system: Client, execute: Exec) -> list[str]:
    """Delete what HeartOps keeps of a namespace outside of it, and its Secret; what was done, line by line.

    The namespace may be gone already. To be repeated after a failure. Raises Failure while it has HeartModels.
    """
    namespace = client.namespace
    require_no_models(client)
    done = [f"{delete_secret(client)} of namespace {namespace}", *revoke_registry(client)]
    done.append(delete_from_mlflow(system, namespace, execute))
    if database := find_database(system):
        if namespace in read_secret(system, database.passwords):
            patch_secret(system, database.passwords, {"data": {namespace: None}})
        job = start_job(system, database, ("remove", namespace))
        done.append(f"Job {job} in namespace {system.namespace} deletes the login, the schema and every logged row")
        uids = recorded_uids(system, database)
        if namespace in uids:
            record_uids(system, database, {name: uid for name, uid in uids.items() if name != namespace})
    return done


def plan_offboarding(client: Client, system: Client, execute: Exec) -> list[str]:
    """What `offboard_namespace` would delete, line by line; nothing is changed. Raises Failure as it does."""
    namespace = client.namespace
    require_no_models(client)
    planned = [f"Secret {RUNTIME_SECRET} of namespace {namespace}, with the key of its row hashes and seals"]
    mlflow = find_mlflow(system, execute)
    planned.append(f"MLflow: {mlflow.count(namespace)}, and their files" if mlflow else unknown_mlflow(namespace))
    database = find_database(system)
    if database and namespace in read_secret(system, database.passwords):
        planned.append(f"Prediction log: the login ns-{namespace} and every prediction and outcome in its schema")
    return planned


def require_no_models(client: Client) -> None:
    if models := client.list(HEART_MODEL):
        names = ", ".join(model["metadata"]["name"] for model in models)
        raise Failure(f"Namespace {client.namespace} still has HeartModels ({names}): delete them first")


def delete_from_mlflow(system: Client, namespace: str, execute: Exec) -> str:
    mlflow = find_mlflow(system, execute)
    if mlflow is None:
        return unknown_mlflow(namespace)
    return f"Deleted from MLflow for good, with their files: {mlflow.delete(namespace)}"


def unknown_mlflow(namespace: str) -> str:
    return (
        f"MLflow is not the chart's: delete the workspace {namespace} there, or the registered models and experiments"
        f" whose names begin with {namespace}."
    )


def delete_secret(client: Client) -> str:
    try:
        client.write("DELETE", SECRET.path(client.namespace, RUNTIME_SECRET))
    except ApiFailure as error:
        if error.status == 404:
            return f"There is no Secret {RUNTIME_SECRET}"
        raise
    return f"Deleted the Secret {RUNTIME_SECRET}"


def require_database(system: Client) -> LogDatabase:
    database = find_database(system)
    if database is None:
        raise Failure(f"Namespace {system.namespace} has no HeartOps database")
    return database


def namespace_uid(client: Client) -> str:
    """Tells a namespace from a later one of the same name."""
    try:
        uid: str = client.call("GET", f"/api/v1/namespaces/{client.namespace}")["metadata"]["uid"]
    except ApiFailure as error:
        if error.status == 404:
            raise Failure(f"There is no namespace {client.namespace}") from None
        raise
    return uid
