"""The generations of the code: one starts processes, the next takes over when it is loaded, a crashed one returns."""

import signal
from unittest.mock import patch

import pytest

from tests.harness.fakes import open_descriptors
from tests.harness.node import Node
from workerd.daemon.processes.forkserver import LOAD_PATIENCE_S, Forkserver
from workerd.daemon.processes.generations import END_PATIENCE_S, Generations
from workerd.daemon.processes.loading import HURRIED_S, RETRY_INITIAL_S, RETRY_MAX_S
from workerd.wire.messages import Load


@pytest.fixture
def generations(node: Node) -> Generations:
    return node.parts.generations


@pytest.fixture
def ready(generations: Generations) -> list[bool]:
    """What is told of each generation that is ready: whether it has replaced another."""
    told: list[bool] = []
    generations.on_ready.add(told.append)
    return told


def load(node: Node) -> None:
    """Start the first generation, and have it load."""
    node.parts.generations.start()
    node.forkserver.become_ready()
    node.turn()


def closed(node: Node) -> list[bool]:
    """Return for each forkserver so far whether the daemon has closed its channel."""
    for forkserver in node.forkservers:
        forkserver.hear()
    return [forkserver.at_end for forkserver in node.forkservers]


def test_a_forkserver_is_told_what_to_load_first(node: Node, generations: Generations) -> None:
    generations.start()
    [message] = node.forkserver.hear()

    assert isinstance(message, Load)
    assert (message.generation, message.log_name) == (1, "shop")


def test_no_process_can_be_started_before_the_code_is_loaded(node: Node, generations: Generations) -> None:
    nothing = generations.obstacle()
    generations.start()
    before = (nothing, generations.current, generations.obstacle())
    node.forkserver.become_ready()
    node.turn()

    assert before == (
        "the forkserver is not started yet",
        None,
        f"the project's code is being loaded (pid {node.forkserver.pid})",
    )
    assert generations.current is not None
    assert generations.obstacle() == ""


def test_the_first_generation_replaces_none(node: Node, ready: list[bool]) -> None:
    load(node)

    assert ready == [False]
    assert [event["generation"] for event in node.lines.of("forkserver.ready")] == [1]


def test_a_reload_keeps_the_old_generation_until_the_new_one_is_ready(
    node: Node, generations: Generations, ready: list[bool]
) -> None:
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    assert generations.current is not None
    meanwhile = (generations.current.pid == node.forkservers[0].pid, closed(node))
    node.forkserver.become_ready()
    node.turn()

    assert meanwhile == (True, [False, False])
    assert generations.current.pid == node.forkservers[1].pid
    assert generations.former is not None
    assert (closed(node), ready, results) == ([False, False], [False, True], [""])
    generations.release_former()
    assert closed(node) == [True, False]


def test_a_new_generation_that_is_rejected_leaves_the_old_one_in_place(
    node: Node, generations: Generations, ready: list[bool]
) -> None:
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    node.forkserver.reject("SyntaxError: never closed", "Traceback")
    node.turn()

    assert results == ["SyntaxError: never closed\nTraceback"]
    assert generations.current is not None
    assert generations.current.pid == node.forkservers[0].pid
    assert (generations.trouble, ready, closed(node)) == ("", [False], [False, True])


def test_a_rejected_generation_is_known_until_it_is_reaped(node: Node, generations: Generations) -> None:
    load(node)
    generations.reload(lambda _: None)
    node.forkserver.reject("SyntaxError")
    node.turn()
    before = [forkserver.pid for forkserver in generations.processes()]
    node.end_forkserver(node.forkservers[1], code=1)

    assert before == [forkserver.pid for forkserver in node.forkservers]
    assert [forkserver.pid for forkserver in generations.processes()] == [node.forkservers[0].pid]
    assert generations.find(node.forkservers[1].pid) is None


def test_who_asks_while_code_is_loaded_gets_a_load_of_its_own(node: Node, generations: Generations) -> None:
    """The load under way may have read older code."""
    load(node)
    results: list[str] = []
    generations.reload(lambda reason: results.append(f"first: {reason}"))
    generations.reload(lambda reason: results.append(f"second: {reason}"))
    generations.reload(lambda reason: results.append(f"third: {reason}"))
    node.forkserver.become_ready()
    node.turn()
    early = list(results)
    node.forkserver.become_ready()
    node.turn()

    assert early == ["first: "]
    assert results == ["first: ", "second: ", "third: "]
    assert len(node.forkservers) == 3


@pytest.mark.parametrize("first_takes", [0.0, HURRIED_S])
def test_who_asks_while_a_load_hangs_does_not_wait_for_its_whole_time(
    node: Node, generations: Generations, first_takes: float
) -> None:
    generations.start()
    node.pass_time(first_takes)
    node.forkserver.become_ready()
    node.turn()
    patience = max(HURRIED_S, 2 * first_takes)
    results: list[str] = []
    generations.reload(results.append)
    generations.reload(results.append)
    node.pass_time(patience - 0.1)
    before = list(results)

    node.pass_time(0.1)
    assert (node.forkservers[1].pid, signal.SIGKILL) in node.kernel.signals
    node.forkserver.become_ready()
    node.turn()

    assert before == []
    assert results == [f"the project is not imported after {patience:.0f} s, and another reload waits", ""]


def test_who_asks_while_the_first_load_hangs_does_not_wait_for_its_whole_time(
    node: Node, generations: Generations
) -> None:
    generations.start()
    hanging, results = node.forkserver, list[str]()
    generations.reload(results.append)
    node.pass_time(HURRIED_S)
    assert (hanging.pid, signal.SIGKILL) in node.kernel.signals
    node.end_forkserver(hanging, signal=signal.SIGKILL)
    node.pass_time(0.0)
    node.forkserver.become_ready()
    node.turn()

    assert node.forkserver is not hanging
    assert results == [""]


def test_a_load_that_nobody_waits_for_has_its_whole_time(node: Node, generations: Generations) -> None:
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    node.pass_time(LOAD_PATIENCE_S - 1)

    assert results == []


def test_a_forkserver_that_crashes_is_started_again_at_once(node: Node, generations: Generations) -> None:
    load(node)
    node.end_forkserver(node.forkserver, signal=signal.SIGKILL)
    node.turn()

    assert [forkserver.generation for forkserver in generations.processes()] == [2]
    assert node.lines.of("forkserver.exited") == [
        {"generation": 1, "forkserver_pid": node.forkservers[0].pid, "signal": "SIGKILL", "retry_s": 0.0}
    ]


def test_a_forkserver_that_never_loads_is_started_again_after_delays_that_double(node: Node) -> None:
    node.parts.generations.start()
    for _ in range(10):
        node.end_forkserver(node.forkserver, code=1)
        node.pass_time(node.lines.of("forkserver.exited")[-1]["retry_s"])
    delays = [event["retry_s"] for event in node.lines.of("forkserver.exited")]

    assert delays[:3] == [RETRY_INITIAL_S, 2 * RETRY_INITIAL_S, 4 * RETRY_INITIAL_S]
    assert delays[-1] == RETRY_MAX_S
    assert len(node.forkservers) == 11


def test_what_is_wrong_with_the_code_is_known_until_it_loads(node: Node, generations: Generations) -> None:
    told: list[str] = []
    generations.on_trouble.add(lambda: told.append(generations.trouble))
    generations.start()
    node.forkserver.reject("SyntaxError: never closed", "Traceback")
    node.turn()
    node.end_forkserver(node.forkserver, code=1)
    meanwhile = generations.obstacle()
    node.pass_time(RETRY_MAX_S)
    node.forkserver.become_ready()
    node.turn()

    assert (told, meanwhile) == (["SyntaxError: never closed"] * len(told), "SyntaxError: never closed")
    assert told
    assert (generations.trouble, generations.obstacle()) == ("", "")


def test_a_forkserver_that_ends_before_it_is_ready_is_rejected_with_how_it_ended(
    node: Node, generations: Generations
) -> None:
    generations.start()
    node.end_forkserver(node.forkserver, signal=signal.SIGSEGV)

    assert generations.trouble == "it ended before it was ready (SIGSEGV)"
    assert node.lines.of("forkserver.rejected")[0]["reason"] == generations.trouble


def test_a_reload_without_a_forkserver_does_not_wait_for_the_backoff(node: Node, generations: Generations) -> None:
    generations.start()
    node.end_forkserver(node.forkserver, code=1)
    waiting = len(node.forkservers)
    results: list[str] = []
    generations.reload(results.append)
    node.forkserver.become_ready()
    node.turn()

    assert (waiting, len(node.forkservers), results) == (1, 2, [""])


def test_a_reload_without_a_forkserver_leaves_no_spare_with_the_code_before(
    node: Node, generations: Generations, ready: list[bool]
) -> None:
    load(node)
    for _ in range(2):  # the first time another one is started at once, before the reload
        node.end_forkserver(node.forkserver, signal=signal.SIGKILL)
    generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()

    assert ready == [False, True]


def test_where_the_first_load_fails_who_asked_meanwhile_does_not_wait_for_the_backoff(
    node: Node, generations: Generations
) -> None:
    generations.start()
    generations.reload(lambda _: None)
    node.end_forkserver(node.forkserver, code=1)
    node.turn()

    assert len(node.forkservers) == 2


def test_a_reload_during_the_first_load_is_a_load_of_its_own(node: Node, generations: Generations) -> None:
    generations.start()
    results: list[str] = []
    generations.reload(results.append)
    node.forkserver.become_ready()
    node.turn()
    early = list(results)
    node.forkserver.become_ready()
    node.turn()

    assert (early, results, len(node.forkservers)) == ([], [""], 2)


def test_where_the_old_generation_ends_while_a_reload_loads_another_one_is_started_at_once(
    node: Node, generations: Generations, ready: list[bool]
) -> None:
    """The code of the reload may hang."""
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    node.end_forkserver(node.forkservers[0], signal=signal.SIGKILL)
    node.turn()
    said = generations.obstacle()
    node.forkservers[2].become_ready()
    node.turn()

    assert said == "the forkserver has ended (SIGKILL), and another one loads the project's code"
    assert generations.current is not None
    assert (generations.current.pid, ready, results) == (node.forkservers[2].pid, [False, False], [])


@pytest.mark.parametrize("restarted", [True, False])
def test_a_reload_takes_the_place_of_what_was_started_meanwhile(
    node: Node, generations: Generations, restarted: bool
) -> None:
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    node.end_forkserver(node.forkservers[0], signal=signal.SIGKILL)
    node.turn()
    if restarted:
        node.forkservers[2].become_ready()
        node.turn()
    node.forkservers[1].become_ready()
    node.turn()

    assert generations.current is not None
    assert (generations.current.pid, results) == (node.forkservers[1].pid, [""])
    assert (generations.former is not None, closed(node)[2]) == (restarted, not restarted)


def test_where_both_are_lost_a_third_one_is_started_alone(node: Node, generations: Generations) -> None:
    load(node)
    results: list[str] = []
    generations.reload(results.append)
    node.end_forkserver(node.forkservers[0], signal=signal.SIGKILL)
    node.turn()
    node.forkservers[1].reject("SyntaxError")
    node.turn()
    node.end_forkserver(node.forkservers[1], code=1)
    node.end_forkserver(node.forkservers[2], code=1)
    node.pass_time(RETRY_MAX_S)

    assert (len(node.forkservers), results) == (4, ["SyntaxError"])
    assert generations.trouble == "it ended before it was ready (exit code 1)"


def test_of_three_generations_the_first_and_the_last_stay(node: Node, generations: Generations) -> None:
    """Between two reloads that are not through, the code that every job was seen to run is the first one's."""
    load(node)
    for _ in range(2):
        generations.reload(lambda _: None)
        node.forkserver.become_ready()
        node.turn()

    assert generations.former is not None
    assert generations.former.pid == node.forkservers[0].pid
    assert closed(node) == [False, True, False]


def test_it_goes_back_to_the_former_generation(node: Node, generations: Generations, ready: list[bool]) -> None:
    load(node)
    generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()
    generations.go_back()
    generations.release_former()

    assert generations.current is not None
    assert (generations.current.pid, ready) == (node.forkservers[0].pid, [False, True, True])
    assert closed(node) == [False, True]


def test_a_former_generation_that_ends_is_not_started_again(node: Node, generations: Generations) -> None:
    load(node)
    generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()
    node.end_forkserver(node.forkservers[0], signal=signal.SIGKILL)
    node.pass_time(RETRY_MAX_S)

    assert (generations.former, len(node.forkservers)) == (None, 2)
    assert [event["generation"] for event in node.lines.of("forkserver.exited")] == [1]


def test_a_forkserver_that_is_let_go_and_does_not_end_is_killed(node: Node, generations: Generations) -> None:
    load(node)
    generations.reload(lambda _: None)
    node.forkserver.become_ready()
    node.turn()
    generations.release_former()
    node.pass_time(END_PATIENCE_S)

    assert node.kernel.signals == [(node.forkservers[0].pid, signal.SIGKILL)]


def test_a_forkserver_that_keeps_a_birth_waiting_is_killed(node: Node, generations: Generations) -> None:
    load(node)
    generations.suspect(1)

    assert node.kernel.signals == [(node.forkserver.pid, signal.SIGKILL)]


def test_a_project_that_takes_too_long_to_import_is_killed(node: Node, generations: Generations) -> None:
    generations.start()
    node.pass_time(LOAD_PATIENCE_S)

    assert node.kernel.signals == [(node.forkserver.pid, signal.SIGKILL)]
    assert generations.trouble == "the project is not imported after 300 s"


def test_at_the_end_every_forkserver_goes_and_none_comes_back(node: Node, generations: Generations) -> None:
    load(node)
    generations.reload(lambda _: None)
    generations.close()
    gone = closed(node)
    for forkserver in tuple(node.forkservers):
        node.end_forkserver(forkserver, code=0)
    node.pass_time(RETRY_MAX_S)

    assert (gone, len(node.forkservers), list(generations.processes())) == ([True, True], 2, [])
    assert node.lines.of("forkserver.rejected") == []


def test_a_try_that_waits_for_its_backoff_is_not_made_after_the_end(node: Node, generations: Generations) -> None:
    generations.start()
    node.end_forkserver(node.forkserver, code=1)
    generations.close()
    node.pass_time(RETRY_MAX_S)

    assert len(node.forkservers) == 1


def test_every_forkserver_that_is_left_can_be_killed(node: Node, generations: Generations) -> None:
    load(node)
    generations.reload(lambda _: None)
    generations.kill()

    assert node.kernel.signals == [(forkserver.pid, signal.SIGKILL) for forkserver in node.forkservers]


def refuse_to_fork(*_: object) -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def test_a_forkserver_that_cannot_be_forked_is_tried_again(node: Node, generations: Generations) -> None:
    with patch.object(Forkserver, "_spawn", refuse_to_fork):
        generations.start()
    node.pass_time(RETRY_INITIAL_S)

    assert "Resource temporarily unavailable" in node.lines.of("forkserver.failed")[0]["reason"]
    assert generations.trouble.startswith("the forkserver could not be started")
    assert [forkserver.generation for forkserver in generations.processes()] == [2]


def test_a_fork_that_fails_leaves_no_descriptor_open(generations: Generations) -> None:
    before = open_descriptors()
    with patch.object(Forkserver, "_spawn", refuse_to_fork):
        generations.start()

    assert open_descriptors() == before


def test_a_reload_whose_forkserver_cannot_be_forked_is_answered(node: Node, generations: Generations) -> None:
    load(node)
    results: list[str] = []
    with patch.object(Forkserver, "_spawn", refuse_to_fork):
        generations.reload(results.append)

    assert results[0].startswith("the forkserver could not be started: ")
    assert generations.obstacle() == ""
