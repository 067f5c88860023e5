"""The verbs of the control socket, over the socket itself: each request is answered, whatever it says."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import Node, fleet_reload_of, orders_of
from workerd.daemon.io.control import MAX_CLIENTS, ControlSocket
from workerd.daemon.io.feed import OTHER, OWN, Feed
from workerd.daemon.node import requests
from workerd.daemon.node.alerts import Alerts
from workerd.daemon.node.audit import Audit
from workerd.daemon.node.readiness import Readiness
from workerd.daemon.node.reloading import Reloading
from workerd.daemon.node.requests import (
    MAX_NAMES,
    MAX_TAILS,
    MAX_WAITING,
    TAIL_LINES,
    TAILS_A_PROCESS,
    Requests,
)
from workerd.daemon.node.shutdown import Shutdown
from workerd.daemon.node.status import Status
from workerd.wire.asking import connect


class Client:
    """A connection to a node's control socket."""

    def __init__(self, node: Node, state_dir: Path) -> None:
        self.node = node
        self.socket = connect(state_dir, "shop", 0)
        self.node.turn()
        self._rest = b""

    def ask(self, verb: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a request; return what has been answered by now."""
        self.socket.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
        self.node.turn()
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        self.node.turn()
        while True:
            try:
                chunk = self.socket.recv(1 << 20)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]


@pytest.fixture
def shutdown(node: Node) -> Shutdown:
    return Shutdown(node.parts)


@pytest.fixture
def control(node: Node, tmp_path: Path, shutdown: Shutdown) -> Iterator[ControlSocket]:
    """The socket of a node that runs its ledger, with everything that answers, as the daemon puts it together."""
    parts = node.parts
    orders = orders_of(parts)
    reloading = Reloading(parts, shutdown)
    audit = Audit(parts, orders, reloading, fleet_reload_of(parts, reloading))
    readiness = Readiness(parts)
    status = Status(parts, shutdown, readiness, reloading, None, Alerts(parts, readiness))
    parts.log.feed = Feed()
    requests = Requests(parts.log, orders, audit, reloading, shutdown, status, parts.drain, parts.log.feed)
    parts.loop.at_turn_end(orders.go_on)
    control = ControlSocket(parts.loop, tmp_path, "shop", requests.answer)
    control.open()
    node.start()
    yield control
    control.close()


@pytest.fixture
def client(node: Node, tmp_path: Path, control: ControlSocket) -> Iterator[Client]:
    client = Client(node, tmp_path)
    yield client
    client.socket.close()
    node.turn()


def test_a_ping_is_answered(client: Client) -> None:
    assert client.ask("ping") == [{"ok": True}]


def test_an_unknown_verb_is_answered_with_those_that_are_known(client: Client) -> None:
    [answer] = client.ask("dance")

    assert answer["error"] == (
        "unknown verb 'dance': this daemon knows "
        "ping, status, tail, feed, reload, drain, shutdown, start, stop, restart, resume, dump, trigger"
    )


def test_a_drain_is_answered_by_how_it_ended(node: Node, client: Client) -> None:
    [done] = client.ask("drain")
    [sideways] = client.ask("drain", way="sideways")
    [undone] = client.ask("drain", way="undo")

    assert (done["ok"], "slots" in done) == (True, False)
    assert "sideways" in sideways["error"]
    assert undone == {"ok": True, "note": "this node takes seats again"}
    assert [record.row["verb"] for record in node.records("operation") if record.row] == [
        "drain",
        "drain",
        "drain_undo",
    ]


def test_a_status_is_answered_from_memory(node: Node, client: Client) -> None:
    node.add_job()
    [answer] = client.ask("status")

    assert (answer["ok"], answer["daemon"]["name"]) == (True, "shop")
    assert [slot["name"] for slot in answer["slots"]] == ["workerd.ledger", "feed"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"names": "feed"}, '"names" is a list of names of jobs or slots'),
        ({"names": [7]}, '"names" is a list of names of jobs or slots'),
        ({"names": ["feed"] * (MAX_NAMES + 1)}, f"{MAX_NAMES + 1} names are more than {MAX_NAMES} in one request"),
        ({}, 'name the jobs or slots in "names", or say "all": true'),
        ({"names": [], "all": "yes"}, 'name the jobs or slots in "names", or say "all": true'),
    ],
)
def test_an_order_that_does_not_say_what_it_is_for_is_refused(
    client: Client, fields: dict[str, Any], error: str
) -> None:
    assert client.ask("stop", **fields) == [{"ok": False, "error": error}]


def test_an_order_is_answered_when_it_is_done_and_written_down(node: Node, client: Client) -> None:
    slot = node.add_job()
    node.settle()
    early = client.ask("stop", names=["feed"])
    node.end_child(slot, signal=signal.SIGTERM)

    assert early == []
    assert client.answers() == [{"ok": True, "slots": [{"slot": "feed", "ok": True, "text": "STOPPED"}]}]
    [record] = node.records("operation")
    assert record.row is not None
    assert (record.row["verb"], record.row["result"]) == ("stop", "feed: STOPPED")


def test_an_order_need_not_be_waited_for(node: Node, client: Client) -> None:
    node.add_job()
    node.settle()

    assert client.ask("stop", all=True, wait=False) == [
        {"ok": True, "slots": [{"slot": "feed", "ok": True, "text": "asked"}]}
    ]


def test_a_daemon_that_stops_takes_no_orders(client: Client, shutdown: Shutdown) -> None:
    shutdown.begin("SIGTERM")

    assert client.ask("restart", all=True) == [
        {"ok": False, "error": "the daemon is stopping and takes no more orders"}
    ]


def test_a_shutdown_is_answered_before_it_begins(client: Client, shutdown: Shutdown) -> None:
    assert client.ask("shutdown") == [{"ok": True}]
    assert shutdown.begun == "an operator's order"


def test_a_reload_is_answered_when_it_has_failed(node: Node, client: Client) -> None:
    early = client.ask("reload")
    node.forkserver.reject("SyntaxError")
    node.turn()

    assert early == []
    assert client.answers() == [{"ok": False, "error": "the new generation was rejected: SyntaxError"}]


def test_a_reload_need_not_be_waited_for(node: Node, client: Client) -> None:
    assert client.ask("reload", wait=False) == [{"ok": True}]
    assert len(node.forkservers) == 2


def test_a_tail_shows_the_last_lines_and_follows(node: Node, client: Client) -> None:
    node.parts.log.emit("child.resumed", reason="first")
    node.parts.log.emit("child.resumed", reason="second")
    past = client.ask("tail", last=1)
    node.parts.log.emit("child.resumed", reason="third")

    assert [event["reason"] for event in (*past, *client.answers())] == ["second", "third"]


def test_a_tail_that_does_not_follow_ends_with_its_answer(node: Node, client: Client) -> None:
    node.parts.log.emit("child.resumed", reason="first")
    [line, answer] = client.ask("tail", last=1, follow=False)
    node.parts.log.emit("child.resumed", reason="second")

    assert (line["reason"], answer, client.answers()) == ("first", {"ok": True}, [])


@pytest.mark.parametrize("last", [0, -5, True, "many", None])
def test_a_tail_of_no_number_of_lines_shows_none_of_the_past(node: Node, client: Client, last: object) -> None:
    node.parts.log.emit("child.resumed", reason="first")

    assert client.ask("tail", last=last, follow=False) == [{"ok": True}]


def test_a_tail_shows_no_more_of_the_past_than_is_kept(node: Node, client: Client) -> None:
    for number in range(TAIL_LINES + 5):
        node.parts.log.emit("child.resumed", reason=str(number))
    events = client.ask("tail", last=10**9, follow=False)[:-1]

    assert len(events) <= TAIL_LINES
    assert events[-1]["reason"] == str(TAIL_LINES + 4)


def test_a_tail_ends_with_its_connection(node: Node, client: Client) -> None:
    client.ask("tail")
    taps = len(node.parts.log.taps)
    client.socket.shutdown(socket.SHUT_RDWR)
    node.turn()

    assert len(node.parts.log.taps) == taps - 1


def test_the_exporter_gets_what_it_has_not_sent(node: Node, client: Client) -> None:
    assert node.parts.log.feed is not None
    node.parts.log.feed.forget(10**6)
    node.parts.log.emit("child.resumed", reason="first")
    node.parts.log.relay(b'{"event":"of a job"}')
    client.socket.sendall(b'{"verb": "feed"}\n')
    node.turn()
    header, own, other = client.socket.recv(1 << 20).splitlines()
    first = json.loads(header)["first"]

    assert json.loads(header) == {"ok": True, "first": first, "lines": 2}
    assert (own[:1], other) == (OWN, OTHER + b'{"event":"of a job"}')
    assert client.ask("feed", after=first + 1, sent=first) == [{"ok": True, "first": first + 2, "lines": 0}]
    assert node.parts.log.feed.after(0)[0] == first + 1


@pytest.mark.parametrize("fields", [{"after": "1"}, {"after": -1}, {"sent": 1.5}, {"sent": None}])
def test_a_number_of_the_exporters_that_is_none_is_refused(client: Client, fields: dict[str, Any]) -> None:
    assert client.ask("feed", **fields) == [{"ok": False, "error": '"after" and "sent" are numbers of lines'}]


def test_without_an_exporter_there_is_no_feed(control: ControlSocket, client: Client) -> None:
    control._on_request.__self__._feed = None  # type: ignore[attr-defined]

    assert client.ask("feed") == [{"ok": False, "error": 'there is no exporter: WORKERD["OTLP_ENDPOINT"] is not set'}]


ORDERS: list[tuple[str, dict[str, Any]]] = [
    ("stop", {"all": True}),
    ("restart", {"names": ["feed"], "wait": False}),
    ("reload", {}),
    ("shutdown", {}),
]


@pytest.mark.parametrize(("verb", "fields"), ORDERS, ids=[verb for verb, _ in ORDERS])
def test_an_order_whose_asker_has_gone_is_not_carried_out(
    node: Node, client: Client, shutdown: Shutdown, verb: str, fields: dict[str, Any]
) -> None:
    """The daemon stood still, the asker was told so, and gave up: the order must not take effect an hour later."""
    slot = node.add_job()
    node.settle()
    client.socket.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
    client.socket.close()
    node.turn()

    assert (slot.wanted, slot.state.value, shutdown.begun) == (True, "RUNNING", "")
    assert node.lines.of("operation.taken") == []
    [dropped] = node.lines.of("operation.dropped")
    assert dropped["verb"] == verb


def test_an_asker_that_only_sends_no_more_is_still_there(node: Node, client: Client) -> None:
    """As ``printf … | nc -N -U``, which closes its sending half at once."""
    slot = node.add_job()
    node.settle()
    client.socket.sendall(json.dumps({"verb": "stop", "all": True, "wait": False}).encode() + b"\n")
    client.socket.shutdown(socket.SHUT_WR)
    node.turn()

    assert not slot.wanted


def test_open_tails_of_one_process_shut_nobody_out(node: Node, client: Client, tmp_path: Path) -> None:
    tails = [Client(node, tmp_path) for _ in range(TAILS_A_PROCESS + 1)]
    *served, refused = [tail.ask("tail") for tail in tails]

    assert served == [[]] * TAILS_A_PROCESS
    assert refused == [
        {
            "ok": False,
            "error": f"{TAILS_A_PROCESS} connections of process {os.getpid()} follow the log already: end one",
        }
    ]
    tails[0].socket.close()
    node.turn()
    assert tails[-1].ask("tail") == []
    for tail in tails:
        tail.socket.close()


def test_open_tails_of_many_processes_shut_nobody_out(
    node: Node, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with few of its own: together they leave room for orders."""
    monkeypatch.setattr(requests, "TAILS_A_PROCESS", MAX_CLIENTS)
    tails = [Client(node, tmp_path) for _ in range(MAX_TAILS + 1)]
    *served, refused = [tail.ask("tail") for tail in tails]

    assert served == [[]] * MAX_TAILS
    assert refused == [{"ok": False, "error": f"{MAX_TAILS} clients follow the log already: end one"}]
    assert client.ask("ping") == [{"ok": True}]
    assert MAX_TAILS <= MAX_CLIENTS / 2
    for tail in tails:
        tail.socket.close()


@pytest.mark.parametrize(("verb", "fields"), [("stop", {"all": True}), ("reload", {})])
def test_orders_that_wait_shut_nobody_out(
    node: Node, client: Client, tmp_path: Path, verb: str, fields: dict[str, Any]
) -> None:
    """Deployments may give hundreds at once, and a job may take minutes to stop: the state is asked for just then."""
    node.add_job()
    node.settle()
    askers = [Client(node, tmp_path) for _ in range(MAX_WAITING + 1)]
    *waiting, refused = [asker.ask(verb, **fields) for asker in askers]

    assert waiting == [[]] * MAX_WAITING
    assert refused == [
        {
            "ok": False,
            "error": f"{MAX_WAITING} orders wait for their results already: try again later, or with --no-wait",
        }
    ]
    assert client.ask("status")[0]["ok"]
    assert client.ask("resume", names=["feed"], wait=False)[0]["slots"][0]["slot"] == "feed"
    askers[0].socket.close()
    node.turn()
    assert askers[-1].ask(verb, **fields) == []
    for asker in askers:
        asker.socket.close()


def test_an_order_that_was_answered_waits_no_more(node: Node, client: Client) -> None:
    node.add_job()
    node.settle()
    answers = [client.ask("resume", names=["feed"]) for _ in range(MAX_WAITING + 1)]

    assert all(answer[0]["slots"][0]["text"] for answer in answers)
