"""A job for the nodes with certain labels runs on those alone, and a node that is none of them says why."""

import json

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import Project
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

WITHIN_S = 20.0
MISFIT = "has zone=a, and where asks for zone=b"


def test_a_job_runs_where_the_labels_fit_and_ends_where_they_do_no_more(project: Project, daemon: Daemon) -> None:
    project.settings["LABELS"] = {"zone": "a"}
    project.add_job("idle", where="zone=a, disk!=hdd", labels="team=billing")
    project.add_job("elsewhere", "idle", where="zone=b")
    daemon.start()
    pid = daemon.child_pid("idle")

    assert daemon.slot("idle")["labels"] == {"team": "billing"}
    project.edit_job("idle", labels="team=shop, tier=1")
    eventually(
        lambda: daemon.slot("idle")["labels"] == {"team": "shop", "tier": "1"}, WITHIN_S, "the labels of the job"
    )
    assert daemon.child_pid("idle") == pid
    assert [slot["name"] for slot in daemon.picture()["slots"] if not slot["builtin"]] == ["idle"]
    assert daemon.picture()["daemon"]["misfits"] == {"elsewhere": MISFIT}
    eventually(lambda: [node.labels for node in project.nodes.all()] == ['{"zone": "a"}'], WITHIN_S, "the labels")
    assert f"  elsewhere: this node {MISFIT}" in project.manage("workerd", "status").stdout
    answer = json.loads(project.manage("workerd", "restart", "elsewhere", "--json").stdout)
    assert answer["slots"][0]["text"] == f"it runs on other nodes: this node {MISFIT}"

    project.edit_job("idle", where="zone=b")
    stopping = daemon.wait_event("child.stopping", within=WITHIN_S, job="idle")
    project.edit_job("elsewhere", where="zone")
    daemon.child_pid("elsewhere", WITHIN_S)
    eventually(lambda: [slot.name for slot in project.slots.all()] == ["elsewhere"], WITHIN_S, "the slots' rows")

    assert stopping["reason"] == f"this node {MISFIT}"
    assert daemon.picture()["daemon"]["misfits"] == {"idle": MISFIT}
    daemon.stop()
