"""A channel: whole packets, descriptors that no program started later inherits, an end that can be read."""

import os
import socket
from collections.abc import Iterator

import pytest

from tests.harness.fakes import open_descriptors
from workerd.wire.channel import MAX_DESCRIPTORS, Channel
from workerd.wire.messages import Bear, BecameReady, Born, Loaded
from workerd.wire.packets import WireError

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_arrive_whole_and_in_order(pair: Pair) -> None:
    ours, theirs = pair
    sent = [Born(1), Loaded(), BecameReady()]
    for message in sent:
        ours.send(message)

    assert [theirs.receive()[0] for _ in sent] == sent


def test_a_closed_end_reads_as_none(pair: Pair) -> None:
    ours, theirs = pair
    ours.close()

    assert theirs.receive() == (None, [])


def test_what_was_sent_before_the_end_is_read_first(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(Born(1))
    ours.close()

    assert [theirs.receive()[0], theirs.receive()[0]] == [Born(1), None]


def test_descriptors_arrive_working_and_close_on_exec(pair: Pair) -> None:
    ours, theirs = pair
    reading, writing = os.pipe()
    ours.send(Bear(1), [writing])
    _, (received,) = theirs.receive()
    os.write(received, b"through")

    assert os.read(reading, 99) == b"through"
    assert not os.get_inheritable(received)
    for descriptor in (reading, writing, received):
        os.close(descriptor)


def test_descriptors_arrive_in_the_order_given(pair: Pair) -> None:
    ours, theirs = pair
    given = [os.memfd_create(str(number)) for number in range(MAX_DESCRIPTORS)]
    ours.send(Bear(1), given)
    _, received = theirs.receive()

    assert [os.fstat(descriptor).st_ino for descriptor in received] == [
        os.fstat(descriptor).st_ino for descriptor in given
    ]
    for descriptor in [*given, *received]:
        os.close(descriptor)


def test_descriptors_that_ride_with_nonsense_are_closed(pair: Pair) -> None:
    """A job may write on its channel what it likes; the daemon's table of descriptors is not its to fill."""
    ours, theirs = pair
    before = open_descriptors()
    socket.send_fds(ours.socket, [b"nonsense"], [0, 1, 2])
    with pytest.raises(WireError):
        theirs.receive()

    assert open_descriptors() <= before


def test_more_descriptors_than_there_is_room_for_do_not_leak(pair: Pair) -> None:
    ours, theirs = pair
    before = open_descriptors()
    socket.send_fds(ours.socket, [b"nonsense"], [0] * 50)
    with pytest.raises(WireError):
        theirs.receive()

    assert open_descriptors() <= before


def test_an_oversized_packet_is_nonsense_and_the_next_is_not(pair: Pair) -> None:
    ours, theirs = pair
    ours.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
    ours.socket.send(b"x" * 170_000)
    ours.send(Born(1))
    with pytest.raises(WireError):
        theirs.receive()

    assert theirs.receive()[0] == Born(1)


def test_sending_to_nobody_raises_and_sends_no_signal(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()

    with pytest.raises(BrokenPipeError):
        ours.send(Born(1))


def test_both_ends_are_close_on_exec(pair: Pair) -> None:
    assert [os.get_inheritable(end.fileno()) for end in pair] == [False, False]


def test_an_end_can_be_taken_over_by_number(pair: Pair) -> None:
    ours, theirs = pair
    taken = Channel.from_descriptor(os.dup(theirs.fileno()))
    ours.send(Born(1))

    assert taken.receive()[0] == Born(1)
    taken.close()
