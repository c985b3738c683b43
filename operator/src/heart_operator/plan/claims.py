"""What a model may claim outside of its namespace: IngressClasses, Gateways and host names, as the profile lists them.

The operator claims with its own rights, so it must claim nothing for a tenant that is not the tenant's to have.
"""

from collections.abc import Iterable, Mapping

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.profile import RouteAccess
from heart_operator.manifests.children import key_of
from heart_operator.plan.observed import Observed


def claim_problems(model: HeartModel, allowed: RouteAccess) -> Iterable[str]:
    """A problem for each claim that the profile does not list; it names the field and the chart's value."""
    yield from ingress_problems(model, allowed)
    yield from route_problems(model, allowed)


def ingress_problems(model: HeartModel, allowed: RouteAccess) -> Iterable[str]:
    ingress = model.spec.serving.ingress
    if ingress is None:
        return
    name = ingress.class_name or "an Ingress without a class"
    yield from unlisted(model, "ingress.className", (name,), allowed.ingress_classes, "ingressClasses")
    yield from unlisted(model, "ingress.host", (ingress.host,), allowed.hosts, "hosts")


def route_problems(model: HeartModel, allowed: RouteAccess) -> Iterable[str]:
    route = model.spec.serving.route
    if route is None:
        return
    gateway = f"{route.gateway.namespace or model.namespace}/{route.gateway.name}"
    yield from unlisted(model, "route.gateway", (gateway,), allowed.gateways, "gateways")
    hosts = route.hostnames or ("every host of the listener",)
    yield from unlisted(model, "route.hostnames", hosts, allowed.hosts, "hosts")


def addresses(model: HeartModel) -> frozenset[str]:
    """Where the model is to be reached from outside: entrance, host and path. No two models can have the same one."""
    ingress, route = model.spec.serving.ingress, model.spec.serving.route
    found = set()
    if ingress:
        found.add(f"{ingress.host}{ingress.path.rstrip('/')}/ of IngressClass {ingress.class_name or '(default)'}")
    if route:
        gateway = f"{route.gateway.namespace or model.namespace}/{route.gateway.name}"
        path = route.path_prefix.rstrip("/")
        found |= {f"{host}{path}/ of Gateway {gateway}" for host in route.hostnames or ("*",)}
    return frozenset(found)


def taken_problems(model: HeartModel, taken: Mapping[str, str]) -> Iterable[str]:
    """A problem for each address that an older model of the namespace has: a controller would choose one of the two."""
    for address in sorted(addresses(model) & taken.keys()):
        field = "ingress.path" if " of IngressClass " in address else "route.pathPrefix"
        yield (
            f"spec.serving.{field}: the HeartModel {taken[address]} is at {address} already; choose another path, such"
            f" as /predict/{model.name}"
        )


def unlisted(model: HeartModel, path: str, values: Iterable[str], listed: Iterable[str], setting: str) -> Iterable[str]:
    patterns = [pattern.replace("{namespace}", model.namespace).lower() for pattern in listed]
    known = ", ".join(patterns) or "none"
    for value in values:
        if not is_listed(value.lower(), patterns):
            yield (
                f"spec.serving.{path}: the runtime profile does not allow {value} (allowed: {known}); an administrator "
                f"adds it to the chart value runtimes.{model.spec.runtime}.routes.{setting}"
            )


def matches(host: str, pattern: str) -> bool:
    """Whether a host is the one of the pattern, or below it with `*.`."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def is_listed(value: str, patterns: Iterable[str]) -> bool:
    """`*` alone stands for any value, and for every host of a Gateway's listener."""
    return any(pattern == "*" or matches(value, pattern) for pattern in patterns)


def may_claim(observed: Observed, child: Manifest) -> bool:
    """Whether this Ingress or HTTPRoute may be applied; any other child may.

    Without a profile nothing new is claimed, but the weights of a living route still change: traffic must be able to
    go back to a version that works.
    """
    problems = {"Ingress": ingress_problems, "HTTPRoute": route_problems}.get(child["kind"])
    if problems is None:
        return True
    if observed.profile is None:
        living = observed.children.get(key_of(child))
        return living is not None and claims(living) == claims(child)
    is_taken = key_of(child) not in observed.children and any(taken_problems(observed.model, observed.usage.taken))
    return not is_taken and not any(problems(observed.model, observed.profile.routes))


def claims(child: Manifest) -> tuple[object, ...]:
    """Whatever of an Ingress or HTTPRoute other tenants could miss."""
    spec = child["spec"]
    hosts = spec.get("hostnames") or [rule.get("host") for rule in spec.get("rules", ())]
    parents = [(entry.get("namespace"), entry["name"]) for entry in spec.get("parentRefs", ())]
    return spec.get("ingressClassName"), hosts, parents
