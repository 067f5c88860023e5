"""The statements about seats, in two sessions at a time: at most one life ever has a seat, whatever the isolation."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import Error, connection

from tests.harness.pooler import Pooler
from tests.harness.waiting import eventually
from workerd.ledger.seats.claims import claim, delete_unwanted, make, release, token_after
from workerd.ledger.seats.look import Look, Looks
from workerd.ledger.seats.node_rows import read_nodes
from workerd.ledger.seats.place import Held, Me, SeatSeen
from workerd.ledger.seats.renewal import DisplacedError, OwnRow, UnregisteredError, read_believed, renew
from workerd.ledger.seats.session import Session
from workerd.models import Job, Node, Seat

pytestmark = [pytest.mark.django_db(transaction=True)]

PATIENCE_S = 5.0
WITHIN_S = 30.0
OWN = OwnRow('{"zone": "a"}', draining=False)
F_MS = 30_000
LEVELS = ("read committed", "repeatable read", "serializable")

Work = Callable[[Session], Any]


class PausedSession(Session):
    """Waits before each COMMIT, so that another session can come between."""

    def __init__(self) -> None:
        super().__init__("default", PATIENCE_S)
        self.at_commit = threading.Event()
        self.go_on = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self.at_commit.set()
            assert self.go_on.wait(WITHIN_S)


class Pair:
    """Two sessions, each in a thread of its own, as keepers are."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2)

    def run(self, work: Work) -> Any:
        return self._pool.submit(in_session, work).result(WITHIN_S)

    def interleave(self, first: Work, second: Work) -> tuple[Any, Any]:
        """Have the second begin before the first commits; return what came of both."""
        paused: Future[PausedSession] = Future()
        one = self._pool.submit(in_session, first, paused)
        session = paused.result(WITHIN_S)
        assert session.at_commit.wait(WITHIN_S)
        begun = threading.Event()

        def run_second(other: Session) -> Any:
            begun.set()
            return second(other)

        two = self._pool.submit(in_session, run_second)
        assert begun.wait(WITHIN_S)
        eventually(lambda: two.done() or waits_for_a_lock(), WITHIN_S, "the second one's wait for the first")
        session.go_on.set()
        return result_of(one), result_of(two)

    def close(self) -> None:
        self._pool.shutdown()


def in_session(work: Work, paused: "Future[PausedSession] | None" = None) -> Any:
    session = PausedSession() if paused is not None else Session("default", PATIENCE_S)
    if paused is not None:
        paused.set_result(session)  # type: ignore[arg-type]
    try:
        return work(session)
    finally:
        session.close()


def waits_for_a_lock() -> bool:
    """Return whether a session of the server waits; SQLite does not tell."""
    ask = {
        "postgresql": "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pid IN "
        "(SELECT pid FROM pg_stat_activity WHERE datname = CURRENT_DATABASE())",
        "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        "sqlite": "SELECT 1",
    }
    with connection.cursor() as cursor:
        cursor.execute(ask[connection.vendor])
        return bool(cursor.fetchone()[0])


def result_of(future: Future[Any]) -> Any:
    try:
        return future.result(WITHIN_S)
    except Error:
        return "not confirmed"


@pytest.fixture
def sessions() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the level of isolation in the project's OPTIONS; SQLite has but one."""
    name = str(request.param)
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        value = IsolationLevel[name.upper().replace(" ", "_")]
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "isolation_level", value)
    elif connection.vendor == "mysql":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "isolation_level", name)
    elif name != "serializable":
        pytest.skip("SQLite has but one level")
    return name


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="feed", target="feed.run", scope="fleet", processes=2)


def node(host: str) -> Me:
    life = uuid.uuid4()
    return Me(Node.objects.create(name="shop", host=host, life=life).pk, life)


@pytest.fixture
def us() -> Me:
    return node("us")


@pytest.fixture
def them() -> Me:
    return node("them")


def seat_of(job: Job, **values: Any) -> Seat:
    return Seat.objects.create(job=job, index=0, **{"takeover_ms": F_MS, **values})


def held_by(job: Job, who: Me) -> Seat:
    return seat_of(job, node_id=who.node_id, life=who.life, token=7, beat=3)


def claiming(seen: Look, job: Job, who: Me) -> Work:
    return lambda session: claimed(session, seen.seats[job.pk, 0], seen.server, who)


def claimed(session: Session, seat: SeatSeen, server: str, who: Me) -> int | None:
    """Claim a seat; return the new token, None where it is another's."""
    token = token_after(seat)
    return token if claim(session, seat, token, server, who, F_MS) else None


def look(session: Session) -> Look:
    """Look for the first time."""
    return Looks().look(session)


def renewing(who: Me) -> Work:
    return lambda session: renew(session, who, OWN, {}).held


def owner(job: Job) -> Any:
    return Seat.objects.get(job=job, index=0).life


# one session


def test_a_renewal_tells_what_is_held_and_beats(sessions: Pair, job: Job, us: Me) -> None:
    held_by(job, us)

    assert sessions.run(renewing(us)) == [Held((job.pk, 0), 7, F_MS, "")]
    seat, row = Seat.objects.get(), Node.objects.get(pk=us.node_id)
    assert (seat.beat, row.beat, row.labels) == (4, 1, '{"zone": "a"}')
    assert seat.renewed is not None


def test_a_renewal_of_a_displaced_life_is_refused(sessions: Pair, job: Job, us: Me) -> None:
    held_by(job, us)
    Node.objects.filter(pk=us.node_id).update(life=uuid.uuid4())
    with pytest.raises(DisplacedError):
        sessions.run(renewing(us))

    assert Seat.objects.get().beat == 3


def test_a_renewal_without_a_row_of_the_node_is_refused(sessions: Pair, us: Me) -> None:
    Node.objects.all().delete()
    with pytest.raises(UnregisteredError):
        sessions.run(renewing(us))


def test_a_renewal_says_which_server_the_node_believes_and_leaves_it_said(sessions: Pair, us: Me) -> None:
    before = sessions.run(lambda session: read_believed(session, us))
    sessions.run(lambda session: renew(session, us, OWN._replace(server="s1"), {}))
    sessions.run(lambda session: renew(session, us, OWN, {}))

    assert (before, sessions.run(lambda session: read_believed(session, us))) == ("", "s1")
    assert sessions.run(read_nodes)[us.node_id].server == "s1"


def test_a_renewal_writes_a_new_time(sessions: Pair, job: Job, us: Me) -> None:
    held_by(job, us)
    (held,) = sessions.run(lambda session: renew(session, us, OWN, {(job.pk, 0): 60_000}).held)

    assert held.takeover_ms == 60_000


def test_a_claim_takes_what_stands_as_it_was_seen(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    seat = held_by(job, them)
    seen = sessions.run(look)
    token = sessions.run(claiming(seen, job, us))
    seat.refresh_from_db()

    assert token > 7
    assert (seat.life, seat.node_id, seat.token, seat.beat, seat.moves) == (us.life, us.node_id, token, 4, 1)
    assert sessions.run(claiming(seen, job, them)) is None


def test_a_claim_at_another_server_than_the_seen_one_takes_nothing(sessions: Pair, job: Job, us: Me) -> None:
    seat_of(job)
    seen = sessions.run(look)._replace(server="another")

    assert sessions.run(claiming(seen, job, us)) is None


def test_a_claim_leaves_what_was_stopped_meanwhile(sessions: Pair, job: Job, us: Me) -> None:
    seat_of(job)
    seen = sessions.run(look)
    Seat.objects.update(stopped_by="ann")

    assert sessions.run(claiming(seen, job, us)) is None


def test_a_release_frees_only_its_own_holding(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    held_by(job, us)
    sessions.run(lambda session: release(session, (job.pk, 0), 6, us.life))
    sessions.run(lambda session: release(session, (job.pk, 0), 7, them.life))
    assert owner(job) == us.life
    sessions.run(lambda session: release(session, (job.pk, 0), 7, us.life))

    seat = Seat.objects.get()
    assert (seat.life, seat.node_id, seat.token, seat.beat) == (None, us.node_id, 7, 4)


def test_only_a_change_of_the_node_is_a_move(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    seat_of(job)
    counted = []
    for who in (us, us, us._replace(life=uuid.uuid4()), them, us):
        token = sessions.run(claiming(sessions.run(look), job, who))
        sessions.run(partial(release, place=(job.pk, 0), token=token, life=who.life))
        counted.append(Seat.objects.get().moves)

    assert counted == [0, 0, 0, 1, 2]


def test_a_release_deletes_a_seat_that_no_job_wants(sessions: Pair, job: Job, us: Me) -> None:
    Seat.objects.create(job=job, index=2, node_id=us.node_id, life=us.life, token=7, takeover_ms=F_MS)
    sessions.run(lambda session: release(session, (job.pk, 2), 7, us.life))

    assert not Seat.objects.exists()


def test_free_seats_are_deleted_only_where_no_fleet_job_wants_them(sessions: Pair, job: Job, us: Me) -> None:
    wanted, held = seat_of(job), Seat.objects.create(job=job, index=3, life=us.life, takeover_ms=F_MS)
    surplus = Seat.objects.create(job=job, index=2, takeover_ms=F_MS)
    orphan = Seat.objects.create(job_id=job.pk + 1000, index=0, takeover_ms=F_MS)
    places = [(seat.job_id, seat.index) for seat in (wanted, held, surplus, orphan)]
    sessions.run(lambda session: delete_unwanted(session, places))

    assert set(Seat.objects.values_list("pk", flat=True)) == {wanted.pk, held.pk}


def test_several_ledgers_make_the_same_seats(sessions: Pair, job: Job) -> None:
    missing = {(job.pk, 0): F_MS, (job.pk, 1): F_MS}
    one, two = sessions.interleave(lambda s: make(s, missing), lambda s: make(s, missing))

    assert one is None
    assert two in {None, "not confirmed"}
    assert Seat.objects.filter(life=None, token=0).count() == 2


def test_a_look_shows_seats_and_one_server(sessions: Pair, job: Job, us: Me) -> None:
    held_by(job, us)
    Node.objects.filter(pk=us.node_id).update(beat=9, draining=True, labels='{"zone": "a"}')
    first, second, nodes = sessions.run(look), sessions.run(look), sessions.run(read_nodes)
    seat = first.seats[job.pk, 0]

    assert (seat.life, seat.node_id, seat.token, seat.beat, seat.takeover_ms) == (us.life, us.node_id, 7, 3, F_MS)
    assert nodes[us.node_id].label == "shop@us"
    assert (nodes[us.node_id].beat, nodes[us.node_id].draining) == (9, True)
    assert first.server == second.server
    assert bool(first.server) == (connection.vendor != "sqlite")
    assert first.began <= first.ended <= second.began


def statements(session: Session, work: Work) -> tuple[Any, int]:
    """Return what comes of it, and how many statements read seats."""
    asked: list[str] = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with session.connection.execute_wrapper(count):
        done = work(session)
    return done, sum(sql.startswith("SELECT") and Seat._meta.db_table in sql for sql in asked)


def test_a_later_look_reads_whole_only_what_has_changed_hands(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    """Whatever the server's clock says: a renewal whose time is wrong by an hour is seen by its beat."""
    held_by(job, us)
    Seat.objects.create(job=job, index=1, takeover_ms=F_MS)
    steps: list[Callable[[], Any]] = [
        lambda: None,
        lambda: Seat.objects.filter(index=0).update(beat=4, renewed=None),
        lambda: sessions.run(claiming(sessions.run(look), job, them)),
        lambda: Seat.objects.filter(index=1).update(stopped_by="ann"),
        lambda: Seat.objects.filter(index=0).update(life=None, node_id=None, beat=9),
        lambda: Seat.objects.filter(index=1).delete(),
        lambda: Seat.objects.all().delete(),
    ]

    def follow(session: Session) -> list[int]:
        looks, read = Looks(), []
        for step in (lambda: None, *steps):
            step()
            seen, count = statements(session, looks.look)
            whole = look(session)
            ages = {place: seat._replace(held_s=0.0) for place, seat in seen.seats.items()}
            assert ages == {place: seat._replace(held_s=0.0) for place, seat in whole.seats.items()}
            assert seen.server == whole.server
            read.append(count)
        return read

    assert in_session(follow) == [1, 1, 1, 2, 2, 2, 1, 1]


@pytest.mark.usefixtures("level")
@pytest.mark.backends("postgres")
def test_a_transaction_is_read_committed_whatever_the_options_say(sessions: Pair) -> None:
    def ask(session: Session) -> str:
        with session.transaction(), session.connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            return str(cursor.fetchone()[0])

    assert sessions.run(ask) == "read committed"


# two sessions


@pytest.mark.usefixtures("level")
def test_of_two_claims_one_takes_the_seat(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    seat_of(job)
    seen = sessions.run(look)
    one, two = sessions.interleave(claiming(seen, job, us), claiming(seen, job, them))

    assert isinstance(one, int)
    assert two in {None, "not confirmed"}
    assert owner(job) == us.life


@pytest.mark.usefixtures("level")
def test_a_claim_that_comes_into_a_renewal_takes_nothing(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    held_by(job, us)
    seen = sessions.run(look)
    one, two = sessions.interleave(renewing(us), claiming(seen, job, them))

    assert [held.place for held in one] == [(job.pk, 0)]
    assert two in {None, "not confirmed"}
    assert owner(job) == us.life


@pytest.mark.usefixtures("level")
def test_a_renewal_that_comes_into_a_claim_has_lost_the_seat(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    held_by(job, us)
    seen = sessions.run(look)
    one, two = sessions.interleave(claiming(seen, job, them), renewing(us))

    assert isinstance(one, int)
    assert two in ([], "not confirmed")
    assert owner(job) == them.life


@pytest.mark.usefixtures("level")
def test_a_release_that_comes_into_a_claim_changes_nothing(sessions: Pair, job: Job, us: Me, them: Me) -> None:
    held_by(job, us)
    seen = sessions.run(look)
    one, _ = sessions.interleave(claiming(seen, job, them), lambda session: release(session, (job.pk, 0), 7, us.life))

    assert isinstance(one, int)
    assert owner(job) == them.life


# many sessions

TURNS = {"sqlite": 12, "postgresql": 40, "mysql": 40}
THREADS = 6


def contend(who: Me, turns: int, tokens: list[tuple[Any, int]]) -> None:
    """Look, claim what is there whoever has it, renew, and release now and then."""
    session, chance = Session("default", PATIENCE_S), random.Random(who.node_id)
    try:
        for _ in range(turns):
            try:
                seen = look(session)
                for place, seat in seen.seats.items():
                    if (token := claimed(session, seat, seen.server, who)) is not None:
                        tokens.append((place, token))
                for held in renew(session, who, OWN, {}).held:
                    if chance.random() < 0.3:
                        release(session, held.place, held.token, who.life)
            except Error:
                continue  # not confirmed: look again
    finally:
        session.close()


@pytest.mark.slow
def test_no_token_is_given_twice_in_a_crowd(job: Job) -> None:
    Seat.objects.bulk_create(Seat(job=job, index=index, takeover_ms=F_MS) for index in range(2))
    tokens: list[tuple[Any, int]] = []
    turns = TURNS[connection.vendor]
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(contend, node(f"host-{number}"), turns, tokens) for number in range(THREADS)]
    for future in done:
        future.result()

    assert len(tokens) > turns
    assert len(set(tokens)) == len(tokens)


# tables that change under its feet


def test_after_a_truncation_nothing_is_held_and_claims_begin_anew(sessions: Pair, job: Job, us: Me) -> None:
    held_by(job, us)
    seen = sessions.run(look)
    Seat.objects.all().delete()
    assert sessions.run(renewing(us)) == []
    assert sessions.run(claiming(seen, job, us)) is None
    sessions.run(lambda session: make(session, {(job.pk, 0): F_MS}))
    token = sessions.run(claiming(sessions.run(look), job, us))

    assert token > 7
    assert [held.token for held in sessions.run(renewing(us))] == [token]


@pytest.mark.backends("postgres")
def test_the_statements_do_without_a_session_of_their_own(
    sessions: Pair, job: Job, us: Me, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = connection.settings_dict
    with Pooler(values["HOST"], int(values["PORT"])) as pooler:
        monkeypatch.setitem(values, "HOST", "127.0.0.1")
        monkeypatch.setitem(values, "PORT", str(pooler.port))
        sessions.run(lambda session: make(session, {(job.pk, 0): F_MS}))
        token = sessions.run(claiming(sessions.run(look), job, us))

        assert [held.token for held in sessions.run(renewing(us))] == [token]
        sessions.run(lambda session: release(session, (job.pk, 0), token, us.life))

    assert owner(job) is None
