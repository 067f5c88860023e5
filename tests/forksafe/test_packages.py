"""The published packages with connections of their own, installed or skipped; the session “packages” has them all."""

from importlib.util import find_spec
from typing import Any

import pytest

from .conftest import RunScript

pytestmark = [pytest.mark.slow, pytest.mark.backends("postgres-psycopg2")]


@pytest.mark.parametrize(
    ("package", "script"),
    [
        ("dj_db_conn_pool", "pool_of_backend"),
        ("django_db_geventpool", "pool_of_geventpool"),
        ("django_prometheus", "metrics_of_backend"),
    ],
)
def test_children_and_parent_get_their_own_answers(run_script: RunScript, package: str, script: str) -> None:
    skip_without(package)

    assert run_script(f"packages:{script}")[0] == {"children": [[True, True]] * 4, "parent": True}


def test_an_engine_of_sqlalchemy_connects_anew(run_script: RunScript) -> None:
    skip_without("sqlalchemy")
    result: dict[str, Any] = run_script("packages:engine_of_sqlalchemy")[0]

    for first, *others in result["children"]:
        assert "OperationalError" in str(first)
        assert others == [1, 2, 3, 4]
    assert result["parent"] == [0, 1, 2, 3, 4]


def test_a_tenant_s_search_path_is_set_in_the_child(run_script: RunScript) -> None:
    skip_without("django_tenants")
    result = run_script("packages:tenant", settings={"INSTALLED_APPS": ["django.contrib.contenttypes"]})[0]

    assert result["child"] == ["north", result["parent"]]
    assert "north" in result["parent"]


def test_children_draw_random_numbers_of_their_own(run_script: RunScript) -> None:
    skip_without("numpy")
    skip_without("faker")
    drawn = run_script("packages:random_numbers")[0]

    assert len({number for numbers in drawn for number in numbers}) == 6


def skip_without(package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"not installed: {package}")
