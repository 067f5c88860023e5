"""Random stories of a scheduled row: whatever happens, each due moment has a run, or is told as missed, once."""

from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import pytest

from tests.harness.due_story import DueStory
from workerd.daemon.rules.outcome import ExitStatus
from workerd.wire.schedule import parse
from workerd.wire.words import Outcome, Overlap, Restart

STEPS = (
    "time",
    "time",
    "time",
    "end",
    "end",
    "kill",
    "shut down",
    "births",
    "forward",
    "back",
    "sleep",
    "edit",
    "refuse",
)
ENDS = (ExitStatus(code=0), ExitStatus(code=1), ExitStatus(code=75))


def take_step(story: DueStory, random: Random, what: str) -> None:  # noqa: C901 - one case for each step
    match what:
        case "time":
            story.pass_time(random.uniform(1, 150))
        case "end":
            child = story.slot().child
            if child is not None and child.licensed_at is not None:
                story.end(end=random.choice(ENDS))
        case "kill" | "shut down":
            story.kill() if what == "kill" else story.shut_down()
            story.clock.advance(random.choice([1, 70, 1000]))
            story.boot()
        case "births":
            story.births = not story.births
            story.settle()
        case "forward":
            story.set_clock(random.uniform(1, 4000))
        case "back":
            story.set_clock(-random.uniform(1, 3000))
        case "sleep":
            story.sleep(random.uniform(1, 4000))
        case "edit":
            story.write(max_age=float(random.randint(1000, 2000)))
        case "refuse":
            story.write(problem=random.choice(["no such target", ""]))


def missed_moments(story: DueStory, times: Any) -> Counter[float]:
    moments: Counter[float] = Counter()
    for event in story.events("job.missed"):
        first, last = (datetime.fromisoformat(event[name]).timestamp() for name in ("due", "last"))
        moment = times.next_after(first - 1)
        while moment is not None and moment <= last:
            moments[moment] += 1
            moment = times.next_after(moment)
    return moments


def run_moments(story: DueStory) -> Counter[float]:
    rows = [row for row in story.journal.of("run") if row["outcome"] != Outcome.MISSED]
    return Counter(row["due"] for row in rows if row["trigger"] != "retry")


@pytest.mark.parametrize("seed", range(60))
def test_each_due_moment_comes_to_one_end(seed: int) -> None:
    random = Random(seed)
    story = DueStory()
    begin = latest = story.clock.wall()
    schedule, restart = (
        random.choice(["* * * * *", "every 30 s", "*/3 * * * *"]),
        random.choice(["never", "on_failure"]),
    )
    story.write(
        schedule=schedule,
        restart=restart,
        overlap=random.choice(list(Overlap)),
        start_within=100_000.0,
        max_restarts=random.choice([None, 0, 2]),
    )
    told = []
    for _ in range(random.randint(5, 40)):
        told.append(random.choice(STEPS))
        take_step(story, random, told[-1])
        latest = max(latest, story.clock.wall())

    times, dues = parse(schedule, "UTC"), story.slot().dues
    assert dues is not None
    assert dues.next is not None
    missed, run = missed_moments(story, times), run_moments(story)
    waits = {due.moment for due in (dues.taken, dues.remembered) if due is not None}
    moment = times.next_after(begin)
    while moment is not None and moment <= latest and moment < dues.next:  # the clock may have been set back
        ends = missed[moment] + bool(run[moment])
        # A run that the daemon's end has cut off, and that could not be repeated, is told as missed as well.
        most = 2 if restart == Restart.ON_FAILURE and run[moment] else 1
        assert 1 <= ends <= most or (not ends and moment in waits), (moment, told)
        moment = times.next_after(moment)
    assert restart == Restart.ON_FAILURE or set(run.values()) <= {1}
    assert not story.events("daemon.degraded")
    story.life.close()
