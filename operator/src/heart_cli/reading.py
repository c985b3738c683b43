"""Reads one model with what belongs to it, and says what is there when it is not."""

from dataclasses import replace

from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import DEPLOYMENT, EVENT, HEART_MODEL, POD, RETRAIN_SCHEDULE
from heart_api.kube.objects import InvalidSpec, parse_model
from heart_api.kube.values import Manifest
from heart_api.names import Component, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.installation import texts_for
from heart_cli.view import View, build_view


def read_model(client: Client, name: str) -> HeartModel:
    return parsed(name, read_raw(client, name))


def read_view(client: Client, name: str, system_namespace: str) -> View:
    """The model with Deployments, serving pods, events and schedules, and what of the installation cannot run."""
    raw = read_raw(client, name)
    serving = f"{Label.MODEL}={name},{Label.COMPONENT}={Component.SERVING}"
    about = f"involvedObject.kind={HEART_MODEL.kind},involvedObject.name={name}"
    try:
        view = build_view(
            raw,
            client.list(DEPLOYMENT, labelSelector=serving),
            client.list(POD, labelSelector=serving),
            client.list(EVENT, fieldSelector=about),
            read_schedules(client),
        )
    except InvalidSpec as error:
        raise unreadable(name, error) from None
    return replace(view, installation=texts_for(client, system_namespace))


def read_schedules(client: Client) -> list[Manifest]:
    """The RetrainSchedules of all models; empty if the user may not read them or the kind is not installed."""
    try:
        return client.list(RETRAIN_SCHEDULE)
    except ApiFailure as error:
        if error.status in (403, 404):
            return []
        raise


def read_models(client: Client, selector: str = "", *, everywhere: bool = False) -> list[HeartModel]:
    """The models of the namespace, or of all, that a label selector chooses; by namespace and name."""
    items = read_items(client, everywhere=everywhere, **({"labelSelector": selector} if selector else {}))
    models = [parsed(item["metadata"]["name"], item) for item in items]
    return sorted(models, key=lambda model: (model.namespace, model.name))


def read_names(client: Client) -> list[str]:
    """Every model of the namespace."""
    return sorted(item["metadata"]["name"] for item in read_items(client))


def read_items(client: Client, *, everywhere: bool = False, **query: str) -> list[Manifest]:
    try:
        return client.list(HEART_MODEL, everywhere=everywhere, **query)
    except ApiFailure as error:
        if error.status == 404:
            raise Failure("The server has no resource type HeartModel: is HeartOps installed?") from None
        raise


def read_raw(client: Client, name: str) -> Manifest:
    """Return the stored HeartModel. Raises Failure with the available names if it does not exist."""
    try:
        return client.get(HEART_MODEL, name)
    except ApiFailure as error:
        if error.status != 404:
            raise
    there = ", ".join(read_names(client)) or "none"
    raise Failure(f'HeartModel "{name}" not found in namespace "{client.namespace}" (available: {there})')


def parsed(name: str, raw: Manifest) -> HeartModel:
    try:
        return parse_model(raw)
    except InvalidSpec as error:
        raise unreadable(name, error) from None


def unreadable(name: str, error: InvalidSpec) -> Failure:
    return Failure(f"HeartModel {name} is from another version of HeartOps than this kubectl heart ({error})")
