"""Which models an event of a site concerns, and which sites one of a model; known from the watches alone."""

from collections.abc import Iterable

from heart_api.federating import Place, place_of
from heart_api.kube.sites import allowed_models, named_sites
from heart_api.kube.values import Manifest, ModelKey, SiteKey


class FederationIndex:
    """The models that each site allows, as its last event said. One event loop, and no I/O."""

    def __init__(self) -> None:
        self._allowed: dict[SiteKey, frozenset[str]] = {}
        self._sites: dict[str, set[SiteKey]] = {}

    def models_of(self, site: SiteKey, body: Manifest, *, gone: bool) -> list[ModelKey]:
        """Models that the site allows, or allowed until now."""
        before, now = self._allowed.pop(site, frozenset()), frozenset() if gone else allowed_models(body)
        for name in before - now:
            self._sites[name].discard(site)
            if not self._sites[name]:
                del self._sites[name]
        for name in now:
            self._sites.setdefault(name, set()).add(site)
        if now:
            self._allowed[site] = now
        return [ModelKey(*place) for place in places(before | now)]

    def sites_of(self, model: ModelKey, body: Manifest) -> list[SiteKey]:
        """Sites that the model names, and those that allow it."""
        named = {SiteKey(*place) for place in places(named_sites(body))}
        return sorted(named | self._sites.get(str(model), set()), key=str)


def news_of(body: Manifest) -> tuple[object, ...]:
    """What of a HeartModel matters to sites: its spec, and the training that runs."""
    training = (body.get("status") or {}).get("training") or {}
    parts = ("trigger", "phase", "finishedAt")
    return (body["metadata"].get("generation"), bool(training.get("coordinator")), *map(training.get, parts))


def places(references: Iterable[str]) -> list[Place]:
    """In order; what is no reference is left out."""
    found = []
    for reference in sorted(references):
        try:
            found.append(place_of(reference))
        except ValueError:
            continue
    return found
