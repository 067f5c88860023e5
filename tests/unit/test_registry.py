"""The @job decorator: what it takes, what it refuses, and with which sentence."""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, get_args, get_type_hints

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


# fields of a row


def test_a_mark_with_fields_defines_a_job_of_its_own_name() -> None:
    job(name="ship", schedule="@daily", start_within="5 min", max_age=None, kwargs={"limit": 1})(plain)

    assert registered()[f"{__name__}.plain"].defines == (
        "ship",
        {"schedule": "@daily", "start_within": 300.0, "max_age": None, "kwargs": {"limit": 1}},
    )


def test_a_job_has_the_functions_name_as_a_slug() -> None:
    def ship_all_orders(_context: Any) -> None: ...

    ship_all_orders.__qualname__ = "ship_all_orders"
    job(processes=2)(ship_all_orders)

    assert registered()[f"{__name__}.ship_all_orders"].defines == ("ship-all-orders", {"processes": 2})


def test_a_mark_without_fields_defines_none() -> None:
    job(plain)
    job()(coroutine)

    assert [found.defines for found in registered().values()] == [None, None]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"procesess": 2}, "'procesess' is no field of a job. Did you mean “processes”?"),
        ({"procesess": 2, "shedule": "@daily"}, "Did you mean “processes”? 'shedule' is no field of a job."),
        ({"target": "shop.jobs.other"}, "A mark takes no target and no command: the job runs the function."),
        ({"function": 3}, "'function' is no field of a job. The fields are "),
        ({"id": 3}, "'id' is no field of a job. The fields are "),
    ],
)
def test_a_field_that_no_row_has_is_a_type_error(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match="cannot be a @job") as raised:
        job(**fields)(plain)

    assert sentence in str(raised.value)
    assert not registered()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"processes": "two"}, "processes is 'two': set it to a whole number from 0 to 1000."),
        ({"stop_timeout": "soon"}, "stop_timeout cannot be read: “soon” is not a duration"),
        ({"schedule": "@daily", "restart": "always"}, "restart is “always”, which no job with a schedule can be"),
        ({"schedule": "@dayly"}, "@dayly"),
        ({"name": "two words", "nice": 40}, "name is 'two words': write letters, digits, - and _ only. nice is 40"),
        ({"name": 3}, "name is 3, not a text"),
        ({"kwargs": {"limit": object()}}, "kwargs is not JSON"),
        ({"kwargs": "{"}, "kwargs is not JSON"),
        ({"notes": 3}, "notes is 3, not a text"),
    ],
)
def test_a_value_that_no_row_may_have_is_refused_with_the_rows_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RegistrationError) as raised:
        job(**fields)(plain)

    assert f"“{__name__}.plain” cannot be a @job: a field of the job that it defines is wrong." in str(raised.value)
    assert sentence in str(raised.value)
    assert not registered()


def test_a_name_that_no_row_can_have_is_to_be_given_another() -> None:
    def of_size(_context: Any) -> None: ...

    of_size.__qualname__ = of_size.__name__ = "größe"
    with pytest.raises(RegistrationError, match="name is 'größe'"):
        job(processes=2)(of_size)

    job(name="size", processes=2)(of_size)


def test_what_a_mark_takes_is_told_to_type_checkers() -> None:
    from workerd.job_fields import JobFields
    from workerd.job_rules.choices import CHOICES
    from workerd.job_rules.written import DEFAULTS

    hints = get_type_hints(JobFields)

    assert list(hints) == ["name", *(field for field in DEFAULTS if field not in ("target", "command"))]
    assert {field: get_args(hints[field]) for field in CHOICES} == dict(CHOICES)
