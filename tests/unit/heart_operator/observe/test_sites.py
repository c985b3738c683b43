"""Reads of the sites that a model names: what is missing, forbidden or unreadable is said and stops nothing."""

from typing import Any

from heart_api.federating import Federation
from heart_operator.kube.errors import NotFound, RequestRejected
from heart_operator.observe.sites import named_sites


def site(namespace: str, **changes: Any) -> dict[str, Any]:
    meta = {"namespace": namespace, "name": "ward", "uid": f"uid-{namespace}"}
    return {"metadata": meta, "spec": {"dataset": {"uri": "pvc://a/b"}}} | changes


class Cluster:
    """Sites by namespace; an exception is raised."""

    def __init__(self, **sites: Any) -> None:
        self.sites = sites
        self.selectors: list[tuple[str, str]] = []

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        found = self.sites.get(namespace, NotFound("no such site"))
        if isinstance(found, Exception):
            raise found
        return found

    async def find(self, kind: Any, namespace: str, selector: str) -> Any:
        self.selectors.append((namespace, selector))
        return [await self.get(kind, namespace, "ward")]


def federation(**changes: Any) -> Federation:
    return Federation.model_validate(changes)


async def read(cluster: Cluster, wanted: Federation | None, watched: set[str] | None = None) -> dict[str, str]:
    """Problem by namespace; `there` for a site that was read."""
    found = await named_sites(cluster, wanted, lambda name: watched is None or name in watched)  # type: ignore[arg-type]
    return {entry.place.namespace: "there" if entry.site else entry.problem for entry in found}


async def test_every_named_site_is_in_the_answer() -> None:
    cluster = Cluster(
        north=site("north"),
        south=RequestRejected("forbidden"),
        east=site("east", spec={"dataset": 3}),
        west=site("west") | {"metadata": site("west")["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
    )
    wanted = federation(sites=["north/ward", "south/ward", "east/ward", "west/ward", "nowhere/ward"])
    found = await read(cluster, wanted)
    assert found["north"] == "there"
    assert "cannot be read" in found["south"]
    assert "another version" in found["east"]
    assert (found["west"], found["nowhere"]) == ("", ""), "deleted, or never there"


async def test_a_namespace_that_the_operator_does_not_watch_is_named() -> None:
    found = await read(Cluster(north=site("north")), federation(sites=["north/ward"], minSites=1), {"clinic"})
    assert "operator.namespaces" in found["north"]


async def test_a_selector_is_asked_of_the_api_server_in_the_namespaces_it_names_alone() -> None:
    cluster = Cluster(north=site("north"), south=site("south"))
    wanted = federation(selector={"namespaces": ["north", "elsewhere"], "matchLabels": {"b": "2", "a": "1"}})
    assert await read(cluster, wanted, {"north", "south"}) == {"north": "there"}
    assert cluster.selectors == [("north", "a=1,b=2")]


async def test_a_model_with_a_dataset_reads_none() -> None:
    cluster = Cluster(north=site("north"))
    assert await read(cluster, None) == {}
