"""What systemd is told: over a datagram socket, without ever waiting for it."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.fakes import FakeClock, loop_of, turn
from workerd.daemon.io.sd_notify import SdNotifier

WATCHDOG_S = 3.0


class Setup:
    """A service manager's socket, and a notifier that was built with these variables."""

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.setblocking(False)
        self.manager.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        for name, value in ({"NOTIFY_SOCKET": address} | variables).items():
            monkeypatch.setenv(name, value)
        self.clock = FakeClock()
        self.loop = loop_of(self.clock)
        self.notifier = SdNotifier(self.loop)

    def messages(self) -> list[str]:
        """Return what has come since the last question."""
        found: list[str] = []
        while True:
            try:
                found.append(self.manager.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.manager.close()
        if self.notifier._socket is not None:
            self.notifier._socket.close()


Build = Callable[..., Setup]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    built: list[Setup] = []

    def setup(address: str = "", **variables: str) -> Setup:
        built.append(Setup(address or str(tmp_path / "notify"), monkeypatch, variables))
        return built[-1]

    yield setup
    for setup_ in built:
        setup_.close()


def test_each_state_is_told_in_systemds_words(build: Build) -> None:
    setup = build()
    setup.notifier.starting(90.0)
    setup.notifier.ready()
    setup.notifier.reloading()
    setup.notifier.stopping(7.5)
    setup.notifier.status("2 of 3 running")
    starting, ready, reloading, stopping, status = setup.messages()

    assert starting == "EXTEND_TIMEOUT_USEC=90000000"
    assert ready == "READY=1"
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert stopping == "STOPPING=1\nEXTEND_TIMEOUT_USEC=7500000"
    assert status == "STATUS=2 of 3 running"


def test_a_status_is_told_again_only_where_it_is_another_one(build: Build) -> None:
    setup = build()
    for text in ("one running", "one running", "two running"):
        setup.notifier.status(text)

    assert setup.messages() == ["STATUS=one running", "STATUS=two running"]


def test_an_abstract_address_is_understood(build: Build) -> None:
    setup = build(f"@workerd-tests-{os.getpid()}")
    setup.notifier.ready()

    assert setup.messages() == ["READY=1"]


def test_no_process_that_the_daemon_starts_can_speak_for_the_service(build: Build) -> None:
    build(WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid()))

    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)


def test_the_watchdog_is_fed_twice_in_the_time_that_it_allows(build: Build) -> None:
    setup = build(WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6)))
    setup.notifier.start()
    turn(setup.loop)
    first = setup.messages()
    setup.clock.advance(WATCHDOG_S / 2 - 0.1)
    turn(setup.loop)
    early = setup.messages()
    setup.clock.advance(0.1)
    turn(setup.loop)

    assert (first, early, setup.messages()) == (["WATCHDOG=1"], [], ["WATCHDOG=1"])


def test_a_turn_that_does_not_end_feeds_nothing(build: Build) -> None:
    """A timer alone is no sign of life: a turn has to be completed."""
    setup = build(WATCHDOG_USEC="3000000")
    setup.notifier.start()
    turn(setup.loop)
    setup.messages()
    seen: list[list[str]] = []
    setup.loop.call_in(WATCHDOG_S / 2, lambda: seen.append(setup.messages()))
    setup.clock.advance(WATCHDOG_S / 2)
    turn(setup.loop)

    assert (seen, setup.messages()) == ([[]], ["WATCHDOG=1"])


@pytest.mark.parametrize(
    "variables", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_that_is_not_for_us_is_not_fed(build: Build, variables: dict[str, str]) -> None:
    setup = build(**variables)
    setup.notifier.start()
    turn(setup.loop)
    setup.clock.advance(60)
    turn(setup.loop)

    assert setup.messages() == []


def test_a_service_manager_that_does_not_read_is_not_waited_for(build: Build) -> None:
    setup = build()
    for number in range(10_000):
        setup.notifier.status(str(number))

    assert 0 < len(setup.messages()) < 10_000


def test_a_service_manager_that_is_gone_is_no_error(build: Build) -> None:
    setup = build()
    setup.manager.close()
    setup.notifier.ready()

    assert setup.notifier.listened_to


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    loop = loop_of(FakeClock())
    notifier = SdNotifier(loop)
    notifier.start()
    turn(loop)
    notifier.ready()

    assert not notifier.listened_to


def test_the_status_is_one_line_whatever_a_job_says(build: Build) -> None:
    setup = build()
    setup.notifier.status("mail is parked: ValueError: x\nMAINPID=1")

    assert setup.messages() == ["STATUS=mail is parked: ValueError: x\\nMAINPID=1"]
