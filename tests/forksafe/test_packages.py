"""The published packages with connections of their own, installed or skipped; the session “packages” has them all."""

from typing import Any

import pytest

from tests.harness.backends.backend import Backend
from tests.harness.published import ENGINES, engine_of, without

from .conftest import RunScript

pytestmark = pytest.mark.slow
NETWORKED = pytest.mark.backends("postgres", "mysql")
ONE_BACKEND = pytest.mark.backends("postgres-psycopg2")
PUBLISHED = pytest.mark.parametrize("package", [pytest.param(name, marks=without(name)) for name in ENGINES])


@NETWORKED
@PUBLISHED
def test_children_and_parent_get_their_own_answers(run_script: RunScript, backend: Backend, package: str) -> None:
    database = {"ENGINE": engine_of(package, backend)}

    answers = run_script("packages:ask_in_children", database=database)[0]

    assert answers == {"children": [[True, True]] * 4, "parent": True}


@NETWORKED
@PUBLISHED
@pytest.mark.parametrize("install", [True, False])
def test_processes_share_no_session_with_install_and_one_without(
    run_script: RunScript, backend: Backend, package: str, install: bool
) -> None:
    database = {"ENGINE": engine_of(package, backend)}

    numbers, shared = run_script("packages:sessions_held", database=database, install=install)[0]

    assert (len(numbers), len(set(numbers)), shared) == ((4, 4, 0) if install else (4, 1, 1))


@NETWORKED
@PUBLISHED
def test_each_fork_is_prepared(run_script: RunScript, backend: Backend, package: str) -> None:
    result = run_script("packages:prepared_again", database={"ENGINE": engine_of(package, backend)})[0]

    assert len({*result["parent"], *result["children"]}) == 6, result


@ONE_BACKEND
@without("sqlalchemy")
def test_an_engine_of_sqlalchemy_connects_anew(run_script: RunScript) -> None:
    result: dict[str, Any] = run_script("packages:engine_of_sqlalchemy")[0]

    for first, *others in result["children"]:
        assert "OperationalError" in str(first)
        assert others == [1, 2, 3, 4]
    assert result["parent"] == [0, 1, 2, 3, 4]


@ONE_BACKEND
@without("django_tenants")
def test_a_tenant_s_search_path_is_set_in_the_child(run_script: RunScript) -> None:
    result = run_script("packages:tenant", settings={"INSTALLED_APPS": ["django.contrib.contenttypes"]})[0]

    assert result["child"] == ["north", result["parent"]]
    assert "north" in result["parent"]


@ONE_BACKEND
@without("numpy")
@without("faker")
def test_children_draw_random_numbers_of_their_own(run_script: RunScript) -> None:
    drawn = run_script("packages:random_numbers")[0]

    assert len({number for numbers in drawn for number in numbers}) == 6
