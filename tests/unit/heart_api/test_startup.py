"""How a process starts."""

import gc

import pytest

from heart_api.startup import importing


def test_the_collector_rests_during_imports_and_looks_at_none_of_them_later() -> None:
    before = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
        module = [[] for _ in range(1_000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(module)
    gc.unfreeze()


def test_the_collector_works_again_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
    gc.unfreeze()


def test_who_runs_without_a_collector_goes_on_without() -> None:
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
