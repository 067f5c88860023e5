"""The database as the ledger reports it: an outage is logged once, and what is not known is not claimed."""

import pytest

from tests.harness.fakes import FakeClock, Lines, recording_log
from workerd.daemon.node.database import Database
from workerd.wire.messages import DatabaseConnected, DatabaseLost, DatabaseRecovered
from workerd.wire.reasons import Reason


class Setup:
    """A database, its log, and how often its recovery was told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lines: Lines
        log, self.lines = recording_log()
        self.database = Database(log, self.clock)
        self.recoveries = 0
        self.database.on_recovered.add(self._count)

    def _count(self) -> None:
        self.recoveries += 1


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_nothing_is_known_before_a_ledger_has_told(setup: Setup) -> None:
    assert setup.database.reachable is None


def test_a_first_connection_makes_it_reachable(setup: Setup) -> None:
    setup.database.receive(DatabaseConnected("postgresql", "15"))

    assert (setup.database.reachable, setup.database.vendor) == (True, "postgresql")
    assert setup.lines.of("ledger.connected") == [{"vendor": "postgresql", "version": "15"}]
    assert setup.recoveries == 0


def test_an_outage_is_logged_once_however_many_ledgers_see_it(setup: Setup) -> None:
    for reason in ("connection refused", "timeout"):
        setup.database.receive(DatabaseLost(reason))

    assert setup.lines.of("ledger.lost") == [{"reason": "connection refused"}]
    assert (setup.database.reachable, setup.database.trouble) == (False, "timeout")


def test_a_recovery_tells_how_long_it_was_out_and_what_was_caught_up(setup: Setup) -> None:
    setup.database.receive(DatabaseLost("connection refused"))
    setup.clock.advance(12.5)
    setup.database.receive(DatabaseRecovered(40))

    assert setup.lines.of("ledger.recovered") == [{"outage_s": 12.5, "caught_up": 40}]
    assert (setup.database.reachable, setup.database.trouble, setup.recoveries) == (True, "", 1)


def test_what_a_ledger_catches_up_at_its_start_is_no_recovery(setup: Setup) -> None:
    setup.database.receive(DatabaseConnected("sqlite", "3"))
    setup.database.receive(DatabaseRecovered(0))

    assert (setup.lines.of("ledger.recovered"), setup.recoveries) == ([], 0)


def test_a_new_ledger_that_connects_ends_an_outage_only_when_it_has_caught_up(setup: Setup) -> None:
    setup.database.receive(DatabaseLost("connection refused"))
    setup.database.receive(DatabaseConnected("postgresql", "15"))
    meanwhile = setup.database.reachable
    setup.database.receive(DatabaseRecovered(3))

    assert (meanwhile, setup.database.reachable) == (False, True)


def test_what_was_reachable_is_not_known_without_a_ledger_and_an_outage_stays_one(setup: Setup) -> None:
    setup.database.receive(DatabaseConnected("postgresql", "15"))
    setup.database.forget()
    first = setup.database.reachable
    setup.database.lose(Reason("the ledger hangs"))
    setup.database.forget()

    assert (first, setup.database.reachable) == (None, False)
