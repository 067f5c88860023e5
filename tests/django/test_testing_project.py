"""A fresh project tests its job by Django's own runner: no pytest is installed, and the test database goes."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60

SETTINGS = """
INSTALLED_APPS += ["workerd", "shop"]
WORKERD = {{"COMMANDS": ["check"]}}
DATABASES = {databases!r}
"""
MODELS = """
from django.db import models

class Order(models.Model):
    is_shipped = models.BooleanField(default=False)
"""
JOBS = """
from workerd import JobContext, job

from .models import Order

@job
def ship_orders(context: JobContext):
    for _ in context.every(5):
        for order in context.each(Order.objects.filter(is_shipped=False)):
            order.is_shipped = True
            order.save()
            context.beat(f"shipped {order.pk}")

@job
async def count_orders(context: JobContext):
    async for _ in context.aevery(5):
        context.log.info("orders.counted", count=await Order.objects.acount())
"""
TESTS = """
import sys

from django.test import TestCase, TransactionTestCase

from workerd.testing import check_rows, run_job

from .jobs import count_orders, ship_orders
from .models import Order

class Story:
    def test_orders_are_shipped(self):
        Order.objects.create()

        result = run_job(ship_orders)

        self.assertEqual(result.notes, [f"shipped {Order.objects.get().pk}"])
        self.assertTrue(Order.objects.get().is_shipped)

    def test_orders_are_counted(self):
        Order.objects.create()

        result = run_job(count_orders)

        self.assertEqual(result.logs[0]["count"], 1)

    def test_a_command_runs(self):
        self.assertEqual(run_job(command="check").exit_code, 0)

    def test_the_rows_can_run(self):
        check_rows()

    def test_nothing_of_pytest_is_loaded(self):
        self.assertEqual([name for name in sys.modules if name.partition(".")[0] in {"pytest", "_pytest"}], [])

class InATransactionTests(Story, TestCase):
    pass

class WithoutTests(Story, TransactionTestCase):
    pass
"""
WITHOUT_PYTEST = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pytest", "_pytest"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
"""


AS_MYSQLDB = """
import pymysql

pymysql.version_info = {version!r}
pymysql.install_as_MySQLdb()
"""


def as_mysqldb() -> str:
    """Return the lines that have PyMySQL stand for MySQLdb in the project, too, where it does in the tests."""
    driver = sys.modules.get("pymysql")
    if driver is None or sys.modules.get("MySQLdb") is not driver:
        return ""
    return AS_MYSQLDB.format(version=driver.version_info)


def manage(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env["PYTHONPATH"] = os.pathsep.join((str(folder), str(ROOT)))
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=WITHIN_S, check=False)


def test_a_fresh_project_tests_its_jobs_by_djangos_own_runner(tmp_path: Path) -> None:
    assert manage(tmp_path, "-m", "django", "startproject", "project", ".").returncode == 0
    assert manage(tmp_path, "manage.py", "startapp", "shop").returncode == 0
    given = settings.DATABASES["default"]
    databases = {"default": {key: given[key] for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}}
    databases["default"]["TEST"] = {"NAME": f"test_fresh_{os.getpid()}"}
    with (tmp_path / "project" / "settings.py").open("a") as file:
        file.write(SETTINGS.format(databases=databases) + as_mysqldb())
    for name, text in (("models", MODELS), ("jobs", JOBS), ("tests", TESTS)):
        (tmp_path / "shop" / f"{name}.py").write_text(text)
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PYTEST)
    assert manage(tmp_path, "manage.py", "makemigrations").returncode == 0

    done = manage(tmp_path, "-W", "error", "manage.py", "test", "--noinput")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 10 tests" in done.stderr
    assert "Destroying test database" in done.stdout + done.stderr
