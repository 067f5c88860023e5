"""Rendered lines on their way through a pipe that others write into as well."""

from hypothesis import given
from hypothesis import strategies as st

from workerd.wire.marked_lines import LINE_BYTES, PACKET_BYTES, UNFINISHED_BYTES, Unpacker, pack

MARK = b"\x1e0123456789abcdef"


def take(unpacker: Unpacker, packet: bytes) -> bytes | None:
    """Take a packet as a reader does who has cut off the mark and the newline."""
    assert packet.startswith(MARK)
    assert packet.endswith(b"\n")
    assert len(packet) <= PACKET_BYTES
    return unpacker.take(packet[len(MARK) : -1])


@given(st.integers(0, LINE_BYTES), st.sampled_from([b"x", b"+ ", b"= 1"]))
def test_a_line_of_any_length_arrives_whole(length: int, text: bytes) -> None:
    line = (text * length)[:length]
    lost: list[bytes] = []
    unpacker = Unpacker(lost.append)
    *early, last = [take(unpacker, packet) for packet in pack(MARK, "7.1", line)]

    assert set(early) <= {None}
    assert last == line
    unpacker.finish()
    assert lost == []


def test_a_handler_of_a_signal_may_write_in_the_middle_of_a_line() -> None:
    unpacker = Unpacker(lambda _: None)
    outer, inner = (list(pack(MARK, f"7.{n}", bytes([65 + n]) * 9000)) for n in (0, 1))
    taken = [take(unpacker, packet) for packet in [outer[0], *inner, *outer[1:]]]

    assert [line[:1] for line in taken if line is not None] == [b"B", b"A"]


def test_what_is_no_packet_of_ours_is_not_kept() -> None:
    lost: list[bytes] = []
    unpacker = Unpacker(lost.append)

    assert unpacker.take(b"") == b""
    unpacker.finish()
    assert lost == []


def test_as_many_processes_as_a_job_may_have_write_long_lines_at_once() -> None:
    lost: list[bytes] = []
    unpacker = Unpacker(lost.append)
    letters = [bytes([65 + number]) for number in range(60)]
    writers = [pack(MARK, f"{number}.1", letter * LINE_BYTES) for number, letter in enumerate(letters)]
    lines = [take(unpacker, packet) for packets in zip(*writers, strict=True) for packet in packets]

    assert [line[:1] for line in lines if line] == letters
    assert lost == []


def test_beginnings_that_nobody_finishes_are_given_up_within_a_bound_and_said() -> None:
    lost: list[bytes] = []
    unpacker = Unpacker(lost.append)
    for number in range(3000):
        take(unpacker, next(pack(MARK, f"{number}.1", b"%05d" % number * 1000)))
    kept_bytes = unpacker._bytes
    unpacker.finish()

    assert kept_bytes <= UNFINISHED_BYTES
    assert [line[:5] for line in lost] == [b"%05d" % number for number in range(3000)]
    assert unpacker._bytes == 0
