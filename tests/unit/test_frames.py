"""The stacks of a process that hangs end in the job's code: the frames below it are workerd's own, and left out."""

import pytest

from workerd.daemon.processes.frames import drop_our_frames

JOB = """\
Current thread 0x00007f80e18ab040 (most recent call first):
  File "/srv/shop/jobs.py", line 17 in inner
  File "/srv/shop/jobs.py", line 15 in hang"""
BELOW = """
  File "/venv/workerd/child/call.py", line 27 in call
  File "/venv/workerd/child/run.py", line 101 in _call
  File "/venv/workerd/child/main.py", line 63 in run_child
  File "/srv/manage.py", line 4 in <module>"""
THREAD = """Thread 0x00007f80e18ab999 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

"""
WAITING = """\
Current thread 0x00007f80e18ab040 (most recent call first):
  File "/venv/workerd/child/stopping.py", line 80 in wait
  File "/venv/workerd/child/context.py", line 77 in wait
  File "/srv/shop/jobs.py", line 15 in idle"""
IMPORT = """\
Current thread 0x00007f80e18ab040 (most recent call first):
  File "/srv/shop/jobs.py", line 3 in <module>
  File "/venv/workerd/targets.py", line 70 in resolve"""
OURS = """\
Current thread 0x00007f80e18ab040 (most recent call first):
  File "/venv/workerd/child/run.py", line 101 in _call
  File "/venv/workerd/child/main.py", line 63 in run_child"""


@pytest.mark.parametrize(
    ("stack", "read"),
    [
        (JOB + BELOW, JOB),
        (f"{THREAD}{JOB}{BELOW}", f"{THREAD}{JOB}"),
        (f"{JOB}{BELOW}\n\n{THREAD}", f"{JOB}\n\n{THREAD}"),
        (WAITING + BELOW, WAITING),
        (IMPORT + BELOW.replace("call.py", "run.py"), IMPORT),
        (OURS, OURS),
        ("Fatal Python error: Aborted", "Fatal Python error: Aborted"),
    ],
    ids=["job", "thread before", "thread after", "waiting in workerd", "importing", "nothing of the job's", "no stack"],
)
def test_the_frames_that_lead_to_the_job_are_left_out(stack: str, read: str) -> None:
    assert drop_our_frames(stack) == read
