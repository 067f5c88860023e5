"""The daemon's end of a channel: it never waits for its peer, and no peer can make it wait."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.fakes import loop_of, open_descriptors, turn
from workerd.daemon.io.link import LAST_MESSAGES, MESSAGES_A_TURN, Link
from workerd.wire.channel import Channel
from workerd.wire.messages import Bear, Born, Failed, Message
from workerd.wire.packets import MAX_PACKET_BYTES


class Exits:
    def __init__(self) -> None:
        self.loop = loop_of()
        ours, self.theirs = Channel.pair()
        self.theirs.socket.setblocking(False)
        self.heard: list[Message] = []
        self.ended = 0
        self.complaints: list[Exception] = []
        self.link = Link(self.loop, ours, self.heard.append, self._end, self.complaints.append)

    def _end(self) -> None:
        self.ended += 1

    def read_all(self) -> list[Any]:
        got = []
        while True:
            try:
                got.append(self.theirs.receive()[0])
            except BlockingIOError:
                if not self.link.waiting:
                    return got
                turn(self.loop)


@pytest.fixture
def exits() -> Iterator[Exits]:
    exits = Exits()
    yield exits
    exits.link.close()
    exits.theirs.close()


def test_what_the_peer_says_is_heard(exits: Exits) -> None:
    exits.theirs.send(Born(1))
    turn(exits.loop)

    assert exits.heard == [Born(1)]


def test_what_does_not_go_out_waits_and_goes_out_in_order(exits: Exits) -> None:
    sent = [Born(number) for number in range(3_000)]
    for message in sent:
        exits.link.send(message)

    assert exits.link.waiting > 0
    assert exits.read_all() == sent


def test_a_message_too_large_is_complained_of_and_holds_nobody_up(exits: Exits) -> None:
    """A run's row with a hundred kilobytes of control characters must not stop every record behind it."""
    exits.link.send(Failed("", "", "x" * MAX_PACKET_BYTES))
    exits.link.send(Born(1))

    assert exits.read_all() == [Born(1)]
    assert len(exits.complaints) == 1


def test_nonsense_is_complained_of_and_what_follows_is_heard(exits: Exits) -> None:
    exits.theirs.socket.send(b"nonsense")
    exits.theirs.send(Born(1))
    turn(exits.loop)

    assert (len(exits.complaints), exits.heard) == (1, [Born(1)])


def test_descriptors_that_nobody_asked_for_are_closed(exits: Exits) -> None:
    before = open_descriptors()
    exits.theirs.send(Born(1), [0, 1])
    exits.theirs.socket.send(b"nonsense")
    socket.send_fds(exits.theirs.socket, [b"nonsense"], [0, 1])
    turn(exits.loop)

    assert open_descriptors() <= before


def test_the_end_is_told_once(exits: Exits) -> None:
    exits.theirs.close()
    turn(exits.loop)
    exits.link.send(Born(1))
    exits.link.close()

    assert (exits.ended, exits.link.open) == (1, False)


def test_last_words_are_heard_before_the_end(exits: Exits) -> None:
    exits.theirs.send(Born(1))
    exits.theirs.close()
    exits.link.read_all()

    assert (exits.heard, exits.ended) == ([Born(1)], 1)


def test_sending_to_a_peer_that_is_gone_is_its_end(exits: Exits) -> None:
    exits.theirs.close()
    exits.link.send(Born(1))

    assert (exits.ended, exits.link.open) == (1, False)


def test_closing_tells_nobody_here_and_the_peer_reads_the_end(exits: Exits) -> None:
    exits.link.close()

    assert exits.theirs.receive() == (None, [])
    assert exits.ended == 0


def test_a_talkative_peer_leaves_the_loop_its_turn(exits: Exits) -> None:
    exits.theirs.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
    sent = 0
    try:
        while True:
            exits.theirs.send(Born(sent))
            sent += 1
    except BlockingIOError:
        turn(exits.loop)

    assert sent > MESSAGES_A_TURN
    assert len(exits.heard) == MESSAGES_A_TURN


def test_a_grandchild_that_talks_on_does_not_keep_a_dead_child_from_being_judged() -> None:
    """It may hold the channel, forked without an exec: each message heard brings the next."""
    exits = Exits()
    exits.link.close()
    ours, theirs = Channel.pair()
    link = Link(exits.loop, ours, lambda _: theirs.send(Born(1)), lambda: None, exits.complaints.append)
    theirs.send(Born(1))
    link.read_all()

    assert link.open
    assert LAST_MESSAGES > MESSAGES_A_TURN
    link.close()
    for end in (theirs, exits.theirs):
        end.close()


def test_descriptors_are_closed_here_once_they_are_sent(exits: Exits) -> None:
    reading, writing = os.pipe()
    exits.link.send(Bear(1), [writing])
    _, (received,) = exits.theirs.receive()
    os.close(received)

    assert os.read(reading, 1) == b""  # no writer is left, ours neither
    os.close(reading)


@pytest.mark.parametrize("open_", [True, False])
def test_descriptors_that_cannot_be_sent_any_more_are_closed(exits: Exits, open_: bool) -> None:
    before = open_descriptors()
    reading, writing = os.pipe()
    if not open_:
        exits.link.close()
    else:
        while not exits.link.waiting:
            exits.link.send(Born(1))
    exits.link.send(Bear(1), [writing])
    exits.link.close()

    assert os.read(reading, 1) == b""
    os.close(reading)
    assert open_descriptors() <= before
