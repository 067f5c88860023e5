"""``python -m tests.harness.backends.parallel PLAN``: runs further sessions one by one beside the first.

A process and not a thread: tests fork.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from workerd.wire import prctl

FOLDER = "WORKERD_TEST_FOLDER"


def main(plan_path: str) -> None:
    """Run each command of the plan, with ``--relay-to`` a file; its exit code goes into the file beside it."""
    prctl.die_with_parent()
    for step in json.loads(Path(plan_path).read_text()):
        with Path(step["reports"]).open("wb") as reports, Path(step["output"]).open("wb") as output:
            code = subprocess.call(
                [*step["command"], f"--relay-to={reports.fileno()}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[reports.fileno()],
                env={**os.environ, FOLDER: step["folder"]},
                preexec_fn=prctl.die_with_parent,
            )
        ended = Path(step["ended"])
        ended.with_suffix(".new").write_text(str(code))
        ended.with_suffix(".new").replace(ended)


if __name__ == "__main__":
    os.setpgid(0, 0)
    main(sys.argv[1])
