"""Rendered lines on their way through a pipe that others write into as well."""

from hypothesis import given
from hypothesis import strategies as st

from workerd.wire.marked_lines import LINE_BYTES, PACKET_BYTES, Unpacker, pack

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
    unpacker = Unpacker()
    *early, last = [take(unpacker, packet) for packet in pack(MARK, "7.1", line)]

    assert set(early) <= {None}
    assert last == line
    assert unpacker.rest() == []


def test_a_handler_of_a_signal_may_write_in_the_middle_of_a_line() -> None:
    unpacker = Unpacker()
    outer, inner = (list(pack(MARK, f"7.{n}", bytes([65 + n]) * 9000)) for n in (0, 1))
    taken = [take(unpacker, packet) for packet in [outer[0], *inner, *outer[1:]]]

    assert [line[:1] for line in taken if line is not None] == [b"B", b"A"]


def test_what_is_no_packet_of_ours_is_not_kept() -> None:
    unpacker = Unpacker()

    assert unpacker.take(b"") == b""
    assert unpacker.rest() == []
