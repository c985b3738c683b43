"""Builds whose archive is gone are dropped from the builder's storage, with their layers."""

from hack.cluster.images import without_archive

BUILT = [
    "localhost/heartops/python-base:b7ad915e6979",
    "localhost/heartops/trainer:dev-0f9a9db0bd1f",
    "localhost/heartops/trainer:dev-3f178bdee4f9",
    "localhost/heartops/pytorch-trainer:dev-a5bbe7b35bd3",
    "<none>:<none>",
]


def test_builds_of_an_image_without_an_archive_are_dropped() -> None:
    assert without_archive("trainer", BUILT, {"trainer-3f178bdee4f9"}) == [
        "localhost/heartops/trainer:dev-0f9a9db0bd1f"
    ]


def test_nothing_is_dropped_while_every_build_has_its_archive() -> None:
    assert without_archive("trainer", BUILT, {"trainer-3f178bdee4f9", "trainer-0f9a9db0bd1f"}) == []
