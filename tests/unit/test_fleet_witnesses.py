"""What the fleet's tests and soak believe: files in which processes of seats leave lines."""

from pathlib import Path

import pytest

from tests.fleet.witnesses import SILENT_S, Witnesses


def write(folder: Path, pid: int, *moments: float, seat: str = "job:0", token: object = 1, node: str = "a") -> None:
    (folder / f"{seat} {token} {node} {pid}").write_text("".join(f"{moment}\n" for moment in moments))


@pytest.mark.parametrize(("begin", "overlaps"), [(1.05, 1), (1.1, 1), (1.11, 0)])
def test_two_processes_that_write_at_once_are_found(begin: float, overlaps: int, tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0, 1.1)
    write(tmp_path, 2, begin, begin + 0.1, node="b", token=2)

    assert len(Witnesses(tmp_path).overlaps()) == overlaps


def test_a_process_that_stood_still_meanwhile_did_nothing(tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0, 9.0)
    write(tmp_path, 2, 2.0, 2.0 + SILENT_S / 2, node="b")

    assert Witnesses(tmp_path).overlaps() == []


def test_one_line_within_another_processes_time_is_found(tmp_path: Path) -> None:
    write(tmp_path, 1, *(1 + step / 100 for step in range(100)))
    write(tmp_path, 2, 1.5)

    assert len(Witnesses(tmp_path).overlaps()) == 1


def test_processes_of_two_seats_and_of_no_seat_may_write_at_once(tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0, 1.1)
    write(tmp_path, 2, 1.0, 1.1, seat="job:1")
    write(tmp_path, 3, 1.0, 1.1, token=None)

    assert Witnesses(tmp_path).overlaps() == []


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "job:0 1 a 1").write_text("1.0\n1.")

    assert [span.ended for span in Witnesses(tmp_path).spans()] == [1.0]
