"""Which files are read, and as what; what cannot be read is a sentence, and nothing waits."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.test_adopt_files import context
from workerd.adopt.adopted import Adopted
from workerd.adopt.files import MAX_BYTES, UnreadableFileError, read_text
from workerd.adopt.formats import FORMATS, UnknownFormatError, adopt
from workerd.adopt.names import name_apart, slug

BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.exists, "No such file"),
    "a folder": (lambda path: path.mkdir(), "not a regular file"),
    "a pipe without a writer": (os.mkfifo, "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a loop of links": (lambda path: path.symlink_to(path), "cannot be read"),
    "too large": (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "is larger than 256 KiB"),
    "not UTF-8": (lambda path: path.write_bytes(b"web: \xff"), "is not UTF-8 (byte 6)"),
    "binary": (lambda path: path.write_bytes(b"web: \0"), "null character"),
}


@pytest.mark.parametrize(("make", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_what_cannot_be_read_is_a_sentence(make: Callable[[Path], object], problem: str, tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    make(path)

    with pytest.raises(UnreadableFileError, match=str(path)) as caught:
        read_text(path)

    assert problem in str(caught.value)


def test_a_path_that_no_system_has_is_a_sentence() -> None:
    with pytest.raises(UnreadableFileError, match="null"):
        read_text(Path("a\0b"))


def test_a_mark_of_the_byte_order_and_other_ends_of_lines_are_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_bytes(b"\xef\xbb\xbfa: b\r\nc: d\r")

    assert read_text(path) == "a: b\nc: d\n"


FITTING = {
    ("x.conf", "[program:a]\ncommand=b\n"): "supervisor",
    ("Procfile", "nothing of the kind"): "procfile",
    ("Procfile.dev", ""): "procfile",
    ("processes", "web: gunicorn\nworker: python manage.py qcluster\n"): "procfile",
    ("jobs", "# m h\n0 5 * * * cd /srv && ./manage.py clearsessions\n"): "crontab",
    ("jobs", "0 5 * * * python manage.py clearsessions\n"): "crontab",
    ("jobs", "@daily ./manage.py clearsessions\n"): "crontab",
    ("jobs", "PATH=/bin\n0 5 * * 1-5 www-data ./manage.py clearsessions\n"): "cron.d",
    ("jobs", "0 5 * * * www ./manage.py clearsessions\n0 6 * * * python manage.py x\n"): "crontab",
    ("jobs", "@daily root python manage.py clearsessions\n"): "cron.d",
}


@pytest.mark.parametrize(("name", "text", "kind"), [(*file, kind) for file, kind in FITTING.items()])
def test_a_file_is_of_the_first_format_that_fits(name: str, text: str, kind: str) -> None:
    assert next(found for found, one in FORMATS.items() if one.fits(Path(name), text)) == kind


@pytest.mark.parametrize("text", ["", "hello\n", "services:\n  web:\n    image: x\n", "[uwsgi]\nattach-daemon = x\n"])
def test_a_file_of_no_format_is_said_with_the_formats(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    with pytest.raises(UnknownFormatError, match="say --format, one of supervisor"):
        adopt([path], context([path]))


def test_the_format_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0 5 * * * root ./manage.py clearsessions\n")

    result = adopt([path], context([path]), "crontab")

    [program] = result.refused
    assert "“root” is a program of its own" in program.reason


def job(name: str) -> Adopted:
    return Adopted(name, {}, [], "here")


def test_each_job_has_a_name_of_its_own() -> None:
    jobs = list(name_apart([job("a"), job("a"), job("a-2"), job("b")]))

    assert [one.name for one in jobs] == ["a", "a-2", "a-2-2", "b"]
    assert jobs[0].comments == []
    assert jobs[1].comments == ["The name a is taken."]


@pytest.mark.parametrize(
    ("name", "slugged"),
    [("mail", "mail"), ("a b/c", "a-b-c"), ("Ümläut", "ml-ut"), ("--", "job"), ("x" * 200, "x" * 100)],
)
def test_a_name_is_made_a_slug(name: str, slugged: str) -> None:
    assert slug(name) == slugged


def test_a_long_name_makes_room_for_its_number() -> None:
    long = "x" * 100

    assert [len(one.name) for one in name_apart([job(long), job(long)])] == [100, 100]
