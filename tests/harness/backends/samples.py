"""Tests that end in every way a test can; run by tests/test_backends.py only, as the name is no test file's."""

import os

import pytest

from .backend import Backend

pytestmark = pytest.mark.backends()


def test_passes_everywhere() -> None:
    pass


@pytest.mark.slow
def test_passes_slowly() -> None:
    pass


@pytest.mark.parametrize("name", ["a b", "ü\n[x]"])
def test_passes_by_any_name(name: str) -> None:
    pass


def test_fails_on_the_second(backend: Backend) -> None:
    print("said before it failed")
    assert backend.vendor == "sqlite"


@pytest.mark.skip(reason="skipped on purpose")
def test_is_skipped() -> None:
    pass


@pytest.mark.xfail(reason="fails on purpose", strict=True)
def test_fails_as_expected() -> None:
    raise AssertionError


@pytest.mark.backends("sqlite")
def test_is_for_sqlite(backend: Backend) -> None:
    assert backend.name == "sqlite"


@pytest.mark.backends("any")
def test_is_for_whichever_comes_first(backend: Backend) -> None:
    assert backend.name == "sqlite"


@pytest.mark.backends("oracle")
def test_is_for_another() -> None:
    raise AssertionError


def test_takes_the_session_down(backend: Backend) -> None:
    if backend.vendor != "sqlite" and "WORKERD_TEST_CRASH" in os.environ:
        os._exit(9)
