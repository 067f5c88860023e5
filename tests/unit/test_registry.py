"""The @job decorator: what it takes, what it refuses, and with which sentence."""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import workerd
from workerd import registry
from workerd.arguments import check_arguments, signature_of
from workerd.registry import RegistrationError, autodiscover, job, registered


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own."""
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def define() -> Callable[[str], ModuleType]:
    """Run source as a module called ``a.jobs``."""

    def run(source: str) -> ModuleType:
        module = ModuleType("a.jobs")
        exec(compile(source, "a/jobs.py", "exec"), module.__dict__)
        return module

    return run


def plain(context: Any, warehouse: str = "main", *, limit: int) -> None:
    """Ship what is ready.

    More of it.
    """


async def coroutine(_context: Any) -> None: ...


def test_a_marked_function_is_found_under_its_own_name_and_stays_itself() -> None:
    assert job(plain) is plain

    found = registered()[f"{__name__}.plain"]
    assert found.function is plain
    assert not found.is_async
    assert found.summary == "Ship what is ready."
    assert list(found.parameters.parameters) == ["warehouse", "limit"]


def test_the_decorator_may_be_called() -> None:
    assert job()(plain) is plain

    assert f"{__name__}.plain" in registered()


def test_a_coroutine_function_is_known_as_one() -> None:
    job(coroutine)

    assert registered()[f"{__name__}.coroutine"].is_async


def test_what_is_registered_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        registered()["x"] = None  # type: ignore[index]


@pytest.mark.parametrize("later", ["", "from __future__ import annotations\n"], ids=["lazy", "future"])
def test_annotations_may_name_what_only_a_type_checker_imports(define: Callable[[str], ModuleType], later: str) -> None:
    """From Python 3.14 on, annotations are evaluated when they are asked for; before, where the module asks for it."""
    if not later and sys.version_info < (3, 14):
        pytest.skip("this Python evaluates annotations where they stand")
    module = define(
        f"{later}from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from workerd import JobContext\n    from decimal import Decimal\n"
        "from workerd import job\n"
        "@job\ndef ship(context: JobContext, price: Decimal = 1) -> Decimal: ...\n"
        "def allowed(price: Decimal) -> Decimal: ...\n"
    )

    assert [*registered()["a.jobs.ship"].parameters.parameters] == ["price"]
    check_arguments("allowed", signature_of(module.allowed), {"price": 1})


def local() -> Callable[..., None]:
    def inner(_context: Any) -> None: ...

    return inner


def yielding(_context: Any) -> Iterator[None]:
    yield


class Holder:
    def method(self) -> None: ...


REFUSED = {
    "a lambda": (lambda _context: None, "a lambda has no name that a row could hold. Write a function with “def”."),
    "a local": (local(), "it is made inside another function, where no row can name it. Define it at the top"),
    "a method": (Holder.method, "it is a method of a class. Define it at the top of its module."),
    "a class": (Holder, "it is of type type, not a function. Mark a plain function."),
    "a partial": (functools.partial(plain), "it is of type partial, not a function. Mark a plain function."),
    "a generator": (yielding, "it has a “yield”, so calling it would run nothing. Loop inside it instead."),
}


@pytest.mark.parametrize(("function", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_row_could_run_is_refused_where_it_is_marked(function: Any, sentence: str) -> None:
    with pytest.raises(RegistrationError) as caught:
        job(function)

    assert sentence in str(caught.value)
    assert "cannot be a @job" in str(caught.value)
    assert not registered()


@pytest.mark.parametrize("signature", ["", "*, context", "**kwargs"])
def test_a_function_that_takes_no_context_is_refused(define: Callable[[str], ModuleType], signature: str) -> None:
    with pytest.raises(RegistrationError, match="it takes no context"):
        define(f"from workerd import job\n@job\ndef ship({signature}): ...")


def test_two_jobs_of_one_name_are_refused(define: Callable[[str], ModuleType]) -> None:
    source = "from workerd import job\n@job\ndef ship(context): ...\n@job\ndef ship(context, more): ...\n"

    with pytest.raises(RegistrationError) as caught:
        define(source)

    assert (
        str(caught.value)
        == "“a.jobs.ship” cannot be a @job: a/jobs.py:2 marks another function of that name. Rename one of them."
    )


def test_a_module_that_is_loaded_again_replaces_its_jobs(define: Callable[[str], ModuleType]) -> None:
    source = "from workerd import job\n@job\ndef ship(context): ...\n"
    define(source)

    assert registered()["a.jobs.ship"].function is not define(source).ship
    assert len(registered()) == 1


def test_discovery_imports_each_apps_jobs_and_what_is_preloaded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(registry, "import_module", imported.append)
    settings.WORKERD = {**settings.WORKERD, "PRELOAD": ["shop.movements"]}

    autodiscover()

    assert imported == ["shop.movements"]
    assert "shop.jobs" in sys.modules


def test_job_and_context_are_had_without_django() -> None:
    script = "import sys; from workerd import JobContext, job; print('django' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_the_package_names_what_it_hands_out() -> None:
    assert {"job", "JobContext", "__version__"} <= set(dir(workerd))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = workerd.nothing
