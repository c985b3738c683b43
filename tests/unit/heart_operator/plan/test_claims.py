"""What a profile does not let a model claim is not applied, whatever else is wrong, and not kept."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.heartmodel import HeartModel
from heart_api.profile import RouteAccess
from heart_operator.plan.claims import addresses, may_claim, taken_problems
from heart_operator.plan.quota import Usage
from heart_operator.plan.validate import problems
from tests.support.plan.world import PROFILE, World, heart_model, serving_world

INGRESS = {"className": "nginx", "host": "heart.example.org"}
ROUTE = {"gateway": {"name": "public"}, "hostnames": ["heart.example.org"]}
CLAIMS = {"Ingress": {"ingress": INGRESS}, "HTTPRoute": {"route": ROUTE}}
NONE = PROFILE.model_copy(update={"routes": RouteAccess()})
ANY = RouteAccess(gateways=("*",), ingress_classes=("*",), hosts=("*",))


def claiming(kind: str, **about: Any) -> World:
    """Version 1 serves, then its spec claims."""
    world = serving_world()
    world.kinds = world.kinds | {"HTTPRoute"}
    for name, value in about.items():
        setattr(world, name, value)
    world.merge_spec({"serving": CLAIMS[kind]})
    world.settle()
    return world


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_model_that_serves_already_claims_nothing_more(kind: str) -> None:
    world = claiming(kind, profile=NONE)
    assert world.child(kind) is None
    assert world.condition("Ready") == ("False", "InvalidSpec")
    assert "runtimes.default.routes." in world.message("Ready")
    assert world.selected == "1", "it goes on serving"


@pytest.mark.parametrize("kind", CLAIMS)
def test_another_mistake_in_the_spec_does_not_let_a_claim_through(kind: str) -> None:
    world = serving_world()
    world.kinds, world.profile = world.kinds | {"HTTPRoute"}, NONE
    world.merge_spec({"serving": CLAIMS[kind], "registryName": "other.heart"})
    world.settle()
    assert world.child(kind) is None


@pytest.mark.parametrize("kind", CLAIMS)
def test_without_a_profile_nothing_new_is_claimed(kind: str) -> None:
    world = claiming(kind, profile=None)
    assert world.child(kind) is None


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_is_given_up_when_the_profile_no_longer_lists_it(kind: str) -> None:
    world = claiming(kind)
    assert world.child(kind)
    world.profile = NONE
    world.settle()
    assert world.child(kind) is None


def test_a_star_allows_every_host_of_a_listener() -> None:
    world = claiming("HTTPRoute", profile=PROFILE.model_copy(update={"routes": ANY}))
    world.merge_spec({"serving": {"route": {"gateway": {"name": "public"}}}})
    world.settle()
    route = world.child("HTTPRoute")
    assert route
    assert "hostnames" not in route["spec"]


@pytest.mark.parametrize(("kind", "field"), [("Ingress", "ingress.path"), ("HTTPRoute", "route.pathPrefix")])
def test_two_models_of_a_namespace_cannot_be_at_one_address(kind: str, field: str) -> None:
    world = claiming(kind, profile=PROFILE.model_copy(update={"routes": ANY}))
    observed = world.observe()
    mine = dict.fromkeys(addresses(observed.model), "older")
    (problem,) = problems(replace(observed, usage=Usage(2, 1, taken=mine)))
    assert problem.startswith(f"spec.serving.{field}: the HeartModel older is at heart.example.org/ of ")
    assert "such as /predict/heart" in problem
    taken = replace(observed, usage=Usage(2, 1, taken=mine), children={})
    living = world.child(kind)
    assert living
    assert not may_claim(taken, living), "what the older one has is not claimed as well"
    assert may_claim(replace(taken, children=observed.children), living), "and not taken away where it is there"


def test_models_share_a_host_by_their_paths() -> None:
    world = claiming("Ingress", profile=PROFILE.model_copy(update={"routes": ANY}))
    world.merge_spec({"serving": {"ingress": INGRESS | {"path": "/predict/iris"}}})
    observed = world.observe()
    others = {"heart.example.org/predict/housing/ of IngressClass nginx": "housing"}
    assert problems(replace(observed, usage=Usage(2, 1, taken=others))) == ()


def of(serving: dict[str, Any]) -> HeartModel:
    return heart_model({"serving": serving})


@pytest.mark.parametrize(
    ("serving", "found"),
    [
        ({}, set()),
        ({"ingress": INGRESS}, {"heart.example.org/ of IngressClass nginx"}),
        ({"ingress": {"host": "a.org", "path": "/predict/heart/"}}, {"a.org/predict/heart/ of IngressClass (default)"}),
        ({"route": ROUTE}, {"heart.example.org/ of Gateway clinic/public"}),
        (
            {
                "route": {
                    "gateway": {"namespace": "edge", "name": "public"},
                    "hostnames": ["a.org", "b.org"],
                    "pathPrefix": "/heart/",
                }
            },
            {"a.org/heart/ of Gateway edge/public", "b.org/heart/ of Gateway edge/public"},
        ),
        ({"route": {"gateway": {"name": "public"}}}, {"*/ of Gateway clinic/public"}),
        (
            {"ingress": INGRESS, "route": ROUTE},
            {"heart.example.org/ of IngressClass nginx", "heart.example.org/ of Gateway clinic/public"},
        ),
    ],
)
def test_where_a_model_is_reached_from_outside(serving: dict[str, Any], found: set[str]) -> None:
    assert addresses(of(serving)) == found


def test_each_address_that_is_taken_is_named_with_its_owner_and_a_way_out() -> None:
    model = of({"ingress": INGRESS, "route": ROUTE})
    taken = {
        "heart.example.org/ of IngressClass nginx": "older",
        "heart.example.org/ of Gateway clinic/public": "oldest",
        "elsewhere/ of IngressClass nginx": "another",
    }
    assert list(taken_problems(model, taken)) == [
        "spec.serving.route.pathPrefix: the HeartModel oldest is at heart.example.org/ of Gateway clinic/public"
        " already; choose another path, such as /predict/heart",
        "spec.serving.ingress.path: the HeartModel older is at heart.example.org/ of IngressClass nginx already; choose"
        " another path, such as /predict/heart",
    ]


@pytest.mark.parametrize("kind", CLAIMS)
def test_neither_ways_claim_speaks_against_the_other_kind(kind: str) -> None:
    """A class that is not listed takes the Ingress alone, and a gateway the HTTPRoute."""
    one = RouteAccess(ingress_classes=("nginx",), hosts=("*.example.org",))
    if kind == "HTTPRoute":
        one = RouteAccess(gateways=("{namespace}/public",), hosts=("*.example.org",))
    world = serving_world()
    world.kinds = world.kinds | {"HTTPRoute"}
    world.merge_spec({"serving": CLAIMS["Ingress"] | CLAIMS["HTTPRoute"]})
    world.settle()
    ingress, route = world.child("Ingress"), world.child("HTTPRoute")
    assert ingress
    assert route
    seen = replace(world.observe(), profile=PROFILE.model_copy(update={"routes": one}))
    assert (may_claim(seen, ingress), may_claim(seen, route)) == (kind == "Ingress", kind == "HTTPRoute")
