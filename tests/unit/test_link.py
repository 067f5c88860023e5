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


class Ends:
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
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.link.close()
    ends.theirs.close()


def test_what_the_peer_says_is_heard(ends: Ends) -> None:
    ends.theirs.send(Born(1))
    turn(ends.loop)

    assert ends.heard == [Born(1)]


def test_what_does_not_go_out_waits_and_goes_out_in_order(ends: Ends) -> None:
    sent = [Born(number) for number in range(3_000)]
    for message in sent:
        ends.link.send(message)

    assert ends.link.waiting > 0
    assert ends.read_all() == sent


def test_a_message_too_large_is_complained_of_and_holds_nobody_up(ends: Ends) -> None:
    """A run's row with a hundred kilobytes of control characters must not stop every record behind it."""
    ends.link.send(Failed("", "", "x" * MAX_PACKET_BYTES))
    ends.link.send(Born(1))

    assert ends.read_all() == [Born(1)]
    assert len(ends.complaints) == 1


def test_nonsense_is_complained_of_and_what_follows_is_heard(ends: Ends) -> None:
    ends.theirs.socket.send(b"nonsense")
    ends.theirs.send(Born(1))
    turn(ends.loop)

    assert (len(ends.complaints), ends.heard) == (1, [Born(1)])


def test_descriptors_that_nobody_asked_for_are_closed(ends: Ends) -> None:
    before = open_descriptors()
    ends.theirs.send(Born(1), [0, 1])
    ends.theirs.socket.send(b"nonsense")
    socket.send_fds(ends.theirs.socket, [b"nonsense"], [0, 1])
    turn(ends.loop)

    assert open_descriptors() <= before


def test_the_end_is_told_once(ends: Ends) -> None:
    ends.theirs.close()
    turn(ends.loop)
    ends.link.send(Born(1))
    ends.link.close()

    assert (ends.ended, ends.link.open) == (1, False)


def test_last_words_are_heard_before_the_end(ends: Ends) -> None:
    ends.theirs.send(Born(1))
    ends.theirs.close()
    ends.link.read_all()

    assert (ends.heard, ends.ended) == ([Born(1)], 1)


def test_sending_to_a_peer_that_is_gone_is_its_end(ends: Ends) -> None:
    ends.theirs.close()
    ends.link.send(Born(1))

    assert (ends.ended, ends.link.open) == (1, False)


def test_closing_tells_nobody_here_and_the_peer_reads_the_end(ends: Ends) -> None:
    ends.link.close()

    assert ends.theirs.receive() == (None, [])
    assert ends.ended == 0


def test_a_talkative_peer_leaves_the_loop_its_turn(ends: Ends) -> None:
    ends.theirs.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
    sent = 0
    try:
        while True:
            ends.theirs.send(Born(sent))
            sent += 1
    except BlockingIOError:
        turn(ends.loop)

    assert sent > MESSAGES_A_TURN
    assert len(ends.heard) == MESSAGES_A_TURN


def test_a_grandchild_that_talks_on_does_not_keep_a_dead_child_from_being_judged() -> None:
    """It may hold the channel, forked without an exec: each message heard brings the next."""
    ends = Ends()
    ends.link.close()
    ours, theirs = Channel.pair()
    link = Link(ends.loop, ours, lambda _: theirs.send(Born(1)), lambda: None, ends.complaints.append)
    theirs.send(Born(1))
    link.read_all()

    assert link.open
    assert LAST_MESSAGES > MESSAGES_A_TURN
    link.close()
    for end in (theirs, ends.theirs):
        end.close()


def test_descriptors_are_closed_here_once_they_are_sent(ends: Ends) -> None:
    reading, writing = os.pipe()
    ends.link.send(Bear(1), [writing])
    _, (received,) = ends.theirs.receive()
    os.close(received)

    assert os.read(reading, 1) == b""  # no writer is left, ours neither
    os.close(reading)


@pytest.mark.parametrize("open_", [True, False])
def test_descriptors_that_cannot_be_sent_any_more_are_closed(ends: Ends, open_: bool) -> None:
    before = open_descriptors()
    reading, writing = os.pipe()
    if not open_:
        ends.link.close()
    else:
        while not ends.link.waiting:
            ends.link.send(Born(1))
    ends.link.send(Bear(1), [writing])
    ends.link.close()

    assert os.read(reading, 1) == b""
    os.close(reading)
    assert open_descriptors() <= before
