"""The sampler: every child in its turn, nothing that cannot be kept, and each curve to the ledger now and then."""

import binascii
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.harness.node import Node
from workerd.daemon.io.sample_file import RECORD_BYTES, SampleFile
from workerd.daemon.processes.memory import MemoryGrowth
from workerd.daemon.processes.usage import Stat
from workerd.daemon.slots.sampler import RUN_POINTS, SLOTS_A_MESSAGE
from workerd.daemon.slots.slot import LiveSlot
from workerd.wire.curves import run_curve
from workerd.wire.messages import Sampled
from workerd.wire.samples import FINE, LAYOUT, Sample, unpack_all
from workerd.wire.words import Outcome

MIB = 5.0


class Machine:
    """What /proc says of every process: it may hide them all, and memory grows as the test says."""

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.hides = False
        self.memory = MIB
        self.faults = 0

    def stat(self, pid: int) -> Stat | None:
        self.looks.append(pid)
        return None if self.hides else Stat(False, len(self.looks) * 0.5, 3, (b"%d" % self.faults,))

    def look(self, growth: MemoryGrowth) -> None:
        growth.seen = self.memory

    def grow(self, mib: float) -> None:
        self.memory, self.faults = mib, self.faults + 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("workerd.daemon.processes.usage.read_stat", lambda pid, _file: machine.stat(pid))
    monkeypatch.setattr("workerd.daemon.processes.usage.count_descriptors", lambda _pid: None if machine.hides else 9)
    monkeypatch.setattr(MemoryGrowth, "look_alone", lambda growth, _pid: machine.look(growth))
    return machine


@pytest.fixture
def node(new_node: Callable[..., Node], machine: Machine) -> Node:
    """A node that measures every ten seconds."""
    return started(new_node(sample_seconds=10.0))


def started(node: Node) -> Node:
    node.start()
    node.parts.loop.at_turn_end(node.parts.slot_set.write_rows)
    node.parts.sampler.start()
    return node


def live(node: Node, seconds: float, *, reads: bool = True) -> None:
    """Let time pass; the ledger beats, or it would be found to hang, and reads, unless it is not to."""
    until = node.clock.now + seconds
    while (left := until - node.clock.now) > 1e-9:
        node.ledger.page.beat()
        node.pass_time(min(5.0, left))
        if reads:
            node.ledger.hear()


def samples_of(node: Node, tmp_path: Path, slot: LiveSlot) -> list[Sample]:
    """Return the samples of an hour that the file has, as the next daemon would find them."""
    return SampleFile(tmp_path / "shop.samples").read((slot.spec.name, slot.index), node.clock.wall())[0]


def delivered(node: Node) -> list[Sampled]:
    node.ledger.hear()
    return [message for message in node.ledger.messages if isinstance(message, Sampled)]


def test_each_child_is_measured_each_ten_seconds(node: Node, machine: Machine, tmp_path: Path) -> None:
    slot = node.add_job()
    node.settle()
    live(node, 60)
    times = [one.time for one in samples_of(node, tmp_path, slot)]

    assert len(times) in {6, 7}
    assert {later - one for one, later in pairwise(times[1:])} == {10}
    assert len(machine.looks) == len(times)


def test_a_sample_has_what_was_measured(node: Node, tmp_path: Path) -> None:
    slot = node.add_job()
    node.settle()
    node.child_in(slot).page.beat()
    live(node, 20.5)
    samples = samples_of(node, tmp_path, slot)

    assert [one.is_first for one in samples] == [True] + [False] * (len(samples) - 1)
    last = samples[-1]
    assert (last.memory, last.descriptors, last.threads) == (MIB * 1024, 9, 3)
    assert last.processor == pytest.approx(5, rel=0.1), "half a second of ten"
    assert last.silence is not None
    assert 10 <= last.silence <= 21


def test_what_is_hidden_is_unknown_and_never_nought(node: Node, machine: Machine, tmp_path: Path) -> None:
    machine.hides = True
    slot = node.add_job()
    node.settle()
    live(node, 15)
    last = samples_of(node, tmp_path, slot)[-1]

    assert (last.memory, last.processor, last.descriptors, last.threads) == (None, None, None, None)
    row = node.records("slot")[-1].row
    assert row is not None
    assert row["memory"] is None


def test_a_round_of_many_is_spread_over_the_ten_seconds(node: Node, machine: Machine) -> None:
    node.add_job(processes=100)
    node.settle()
    live(node, 10)
    machine.looks.clear()
    in_each = []
    for _ in range(40):
        before = len(machine.looks)
        live(node, 0.25)
        in_each.append(len(machine.looks) - before)

    assert sum(in_each) == 100
    assert max(in_each) <= 10


def test_with_nought_seconds_nothing_is_measured(
    new_node: Callable[..., Node], machine: Machine, tmp_path: Path
) -> None:
    node = started(new_node(sample_seconds=0.0))
    node.add_job()
    node.settle()
    live(node, 60)

    assert machine.looks == []
    assert not (tmp_path / "shop.samples").exists()


def test_a_limit_is_seen_as_the_watchdog_sees_it(node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the helpers of the child, so that its curve meets the line where the child is ended."""
    looks: list[float] = []

    def look(growth: MemoryGrowth, _pid: int) -> float:
        looks.append(node.clock.now)
        growth.seen = 17.0
        return 17.0

    monkeypatch.setattr(MemoryGrowth, "look", look)
    slot = node.add_job(max_memory=64.0)
    node.settle()
    live(node, 100)
    memory = {one.memory for one in samples_of(node, tmp_path, slot)[1:]}

    assert memory == {17 * 1024}
    assert len(looks) <= 21, "it is not looked at much more often for that"


def test_short_lives_do_not_fill_a_ring(node: Node, tmp_path: Path) -> None:
    slot = node.add_job(backoff_initial=0)
    for _ in range(30):
        node.settle()
        live(node, 1.5)
        if slot.child is not None:
            node.end_child(slot, code=1)
    lived = 30 * 1.5

    assert len(samples_of(node, tmp_path, slot)) <= lived / 10 + 4


def test_the_curve_of_a_new_slot_comes_at_once_and_then_each_minute(node: Node, machine: Machine) -> None:
    node.add_job()
    node.settle()
    live(node, 1)
    first = len(delivered(node))
    live(node, 300)
    messages = delivered(node)
    [name, index, text] = messages[-1].curves[0]

    assert first == 1
    assert 5 <= len(messages) <= 7
    samples = unpack_all(binascii.a2b_base64(text)[: FINE * LAYOUT.size], node.clock.wall())
    assert (name, index) == ("feed", 0)
    assert len(samples) == len(machine.looks) - (node.clock.wall() - samples[-1].time) // 10


def test_of_many_slots_each_goes_less_often(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.daemon.slots.sampler.SLOTS_A_ROUND", 5)
    node.add_job(processes=60)
    node.settle()
    live(node, 60)
    before = sum(len(message.curves) for message in delivered(node))
    live(node, 240)
    after = sum(len(message.curves) for message in delivered(node))

    assert before >= 60
    assert 60 <= after - before <= 120 + 10, "each in two minutes"
    assert all(len(message.curves) <= SLOTS_A_MESSAGE for message in delivered(node))


def test_a_ledger_that_does_not_read_is_not_waited_for(node: Node) -> None:
    link = node.parts.ledger.slot.child.link if node.parts.ledger.slot.child is not None else None
    assert link is not None
    node.add_job(processes=100)
    node.settle()
    live(node, 120, reads=False)

    assert link.waiting < 200, "what waits is records, of which there is one for each slot, and no pile of samples"


def test_a_row_shows_the_memory_of_its_curve(node: Node, machine: Machine) -> None:
    node.add_job()
    node.settle()
    machine.grow(44.5)
    live(node, 200)
    row = node.records("slot")[-1].row

    assert row is not None
    assert row["memory"] == 44.5


def test_a_run_keeps_its_curve_to_the_end(node: Node, machine: Machine) -> None:
    slot = node.add_job(backoff_initial=0)
    node.settle()
    live(node, 100)
    node.end_child(slot, code=1)
    live(node, 1)
    node.settle()
    born = node.clock.wall()
    for mib in range(10, 20):
        machine.grow(mib)
        live(node, 10)
    child = slot.child
    assert child is not None
    child.set_verdict(Outcome.OVER_MEMORY, "its own memory grew")
    child.growth.seen = 77.0
    node.end_child(slot, code=0)
    row = node.records("run")[-1].row
    assert row is not None
    curve = run_curve(row["samples"], node.clock.wall())

    assert row["outcome"] == "over_memory"
    assert curve[0].time >= int(born)
    assert [one.memory for one in curve[-4:]] == [17 * 1024, 18 * 1024, 19 * 1024, 77 * 1024]


def test_a_run_of_a_day_keeps_few_samples(node: Node, machine: Machine, tmp_path: Path) -> None:
    slot = node.add_job()
    node.settle()
    assert slot.child is not None
    node.parts.sampler._file = file = SampleFile(tmp_path / "other")
    now = int(node.clock.wall())
    for time in range(now, now + 86_400, 40):
        file.append(("feed", 0), Sample(time, time - now))
    node.clock.wall_now += 86_400
    text = node.parts.sampler.curve_of(slot, slot.child)

    assert len(text) < 4096
    curve = run_curve(text, node.clock.wall())
    assert RUN_POINTS / 2 < len(curve) <= RUN_POINTS
    assert curve[-1].memory == 86_360


def test_a_daemon_that_stops_is_not_held_up_by_curves(node: Node) -> None:
    slot = node.add_job()
    node.settle()
    live(node, 50)
    node.parts.lifecycle.stopping = "SIGTERM"
    node.end_child(slot, code=0)
    row = node.records("run")[-1].row

    assert row is not None
    assert row["samples"] is None


def test_a_file_that_cannot_be_used_is_said_once_and_tried_again(
    new_node: Callable[..., Node], machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "shop.samples").mkdir()
    node = started(new_node(sample_seconds=10.0))
    node.add_job()
    node.settle()
    live(node, 200)
    stopped, looks = node.lines.of("samples.stopped"), len(machine.looks)
    (tmp_path / "shop.samples").rmdir()
    live(node, 100)

    assert len(stopped) == 1
    assert "Is a directory" in stopped[0]["reason"]
    assert looks == 0, "what cannot be kept is not measured"
    assert [event["reason"] for event in node.lines.of("samples.begun_anew")] == ["they can be kept again"]
    assert len(machine.looks) >= 3
    assert node.parts.ledger.slot.is_running


def test_a_write_that_fails_ends_no_turn_and_is_tried_again(
    node: Node, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.add_job()
    node.settle()
    live(node, 20)
    with monkeypatch.context() as patch:
        patch.setattr(SampleFile, "append", _full)
        live(node, 30)
    during = len(machine.looks)
    live(node, 100)

    assert [event["reason"] for event in node.lines.of("samples.stopped")] == ["[Errno 28] No space left on device"]
    rounds = len(machine.looks) - during
    assert 4 <= rounds <= 10, "one round each ten seconds, and not two"


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_broken_file_is_begun_anew_and_said(new_node: Callable[..., Node], machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "shop.samples").write_bytes(b"something else")
    node = started(new_node(sample_seconds=10.0))

    assert "another version" in node.lines.of("samples.begun_anew")[0]["reason"]


def test_a_slot_that_is_gone_gives_its_record_back(node: Node, tmp_path: Path) -> None:
    for number in range(5):
        node.add_job(f"job-{number}")
        node.settle()
        live(node, 15)
        slot = node.slot(f"job-{number}")
        node.parts.slot_set.apply(f"job-{number}", None)
        node.end_child(slot, code=0)

    assert (tmp_path / "shop.samples").stat().st_size < 4096 + 2 * RECORD_BYTES


def test_processor_time_goes_on_over_restarts(node: Node) -> None:
    slot = node.add_job(backoff_initial=0)
    node.settle()
    live(node, 50)
    before = slot.processor_s
    node.end_child(slot, code=1)
    live(node, 1)
    node.settle()
    live(node, 50)

    assert slot.processor_s > before > 0
