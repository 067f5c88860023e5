"""Even out how many seats of a job the nodes hold: one process at a time moves, of jobs that are movable."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.management.fleet_status import needs_project
from workerd.wire import exit_codes

TAKEN_WITHIN_S = 60.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", default="", metavar="JOB", help="this job alone; without it, every one")
    parser.add_argument("--dry-run", action="store_true", help="only say which seat would move first")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Say what moved where; return FAILED where the job is none that moves, or a seat did not."""
    if needs_project(command, "rebalance"):
        return exit_codes.USAGE
    answer = _rebalance(get_settings().database, options["job"], dry_run=options["dry_run"])
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
        return exit_codes.DONE if answer["ok"] else exit_codes.FAILED
    for line in answer["moves"]:
        command.stdout.write(line)
    if "error" in answer:
        command.stderr.write(answer["error"])
    elif not answer["moves"]:
        command.stdout.write("No node holds more than one seat of a movable job above another: nothing moves.")
    return exit_codes.DONE if answer["ok"] else exit_codes.FAILED


def _rebalance(alias: str, job: str, *, dry_run: bool) -> dict[str, Any]:
    from workerd.fleet.picture import read_fleet
    from workerd.fleet.rebalancing import next_move

    fleet, moves = read_fleet(alias), list[str]()
    if job and (problem := _why_not(job, {known.name: bool(known.movable) for known in fleet.jobs})):
        return {"ok": False, "error": problem, "moves": []}
    most = sum(job.processes for job in fleet.jobs)
    while (move := next_move(fleet, job)) is not None:
        if dry_run:
            return {"ok": True, "moves": [f"{move.place.name} would leave {move.holder} for {move.fewest}"]}
        if len(moves) >= most:
            return {"ok": False, "error": f"after {most} moves it is not even yet: nodes come and go", "moves": moves}
        told, problem = _carry_out(alias, move)
        if problem:
            return {"ok": False, "error": problem, "moves": moves}
        moves.append(told)
        fleet = read_fleet(alias)
    return {"ok": True, "moves": moves}


def _why_not(job: str, movable: dict[str, bool]) -> str:
    if job not in movable:
        return f"There is no job “{job}” of the fleet."
    return (
        "" if movable[job] else f"{job} does not say that its processes may be moved: set “movable” in its row first."
    )


def _carry_out(alias: str, move: Any) -> tuple[str, str]:
    """Have the holder give the seat up, and wait for the next one; return what moved, or what went wrong."""
    from workerd.management.node_orders import give, wait_for, wait_until
    from workerd.models import Node, Seat

    place, holder = move.place, move.holder
    result = wait_for(give(alias, "move", holder, place.job, place.name), alias)
    if not result:
        return "", f"{holder} has not taken the order within a minute: does its daemon run?"
    seat = Seat.objects.using(alias).filter(job_id=place.job.pk, index=place.index).exclude(life=None)
    if not wait_until(seat.exclude(token=place.seat.token).exists, TAKEN_WITHIN_S):
        return "", f"{place.name} has left {holder}, and no node has taken it: “status --fleet” says why. ({result})"
    after = Node.objects.using(alias).filter(pk__in=seat.values("node_id")).first()
    if after is None or after.pk == holder.pk:
        return "", f"{place.name} did not leave {holder}: {result}"
    return f"{place.name}: {holder} -> {after}", ""
