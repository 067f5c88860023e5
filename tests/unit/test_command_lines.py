"""A row's command line: which commands, which options, and the sentence for each that may not stand there."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandParser

from workerd.command_lines import check_command, check_command_name
from workerd.refusals import RowError
from workerd.targets import find_row_problems
from workerd.wire.spec import JobSpec


class Shard(BaseCommand):
    """Takes the numbers of three processes."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("part", type=int, choices=range(3))
        parser.add_argument("of", type=int, choices=range(1, 4))


class Mail(BaseCommand):
    """Has flags that may be bundled, and a subcommand."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-f", "--force", action="store_true")
        parser.add_argument("--set", help="not short for --settings: it is its own name")
        parser.add_argument("--count", type=int)
        parser.add_subparsers().add_parser("send").add_argument("--to")


@pytest.fixture(autouse=True)
def commands(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["mail", "absent", "broken", "shard"]}
    monkeypatch.setitem(get_commands(), "shard", Shard())
    monkeypatch.setitem(get_commands(), "mail", Mail())  # call_command takes an instance too
    monkeypatch.setitem(get_commands(), "broken", "nothing_of_that_name")


FOREIGN = "“mail” may not be given “{}” in a row: it would print and end, or name another project. Remove that option."

SENTENCES = {
    "celery -A shop": "“celery” is not a management command of any installed app. "
    "Correct the name, or add its app to INSTALLED_APPS.",
    "flush": '“flush” is not a management command that the project allows. Add "flush" to WORKERD["COMMANDS"].',
    "absent": "“absent” is not a management command of any installed app. "
    "Correct the name, or add its app to INSTALLED_APPS.",
    "broken": "“broken” does not import: ModuleNotFoundError: No module named 'nothing_of_that_name'. "
    "Correct the code, then reload workerd.",
    "mail --settings=other": FOREIGN.format("--settings=other"),
    "mail --settings other": FOREIGN.format("--settings"),
    "mail --pythonpath=/tmp": FOREIGN.format("--pythonpath=/tmp"),
    "mail --sett=other": FOREIGN.format("--sett=other"),
    "mail --sett other": FOREIGN.format("--sett"),
    "mail --p /tmp": FOREIGN.format("--p"),
    "mail '--pythonpath' /tmp": FOREIGN.format("--pythonpath"),
    "mail --help": FOREIGN.format("--help"),
    "mail -h": FOREIGN.format("-h"),
    "mail -fh": FOREIGN.format("-fh"),
    "mail --hel": FOREIGN.format("--hel"),
    "mail --version": FOREIGN.format("--version"),
    "mail send --hel": FOREIGN.format("send --hel"),
    "mail --what": "“mail” does not take “--what”: unrecognized arguments: --what. "
    "“manage.py mail --help” shows what it takes.",
    "mail --count x": "“mail” does not take “--count x”: argument --count: invalid int value: 'x'. "
    "“manage.py mail --help” shows what it takes.",
}


@pytest.mark.parametrize(("line", "sentence"), SENTENCES.items(), ids=SENTENCES.keys())
def test_each_line_that_may_not_run_has_its_sentence(
    line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RowError) as caught:
        check_command(line)

    assert [(fault.field, fault.sentence) for fault in caught.value.faults] == [("command", sentence)]
    assert str(caught.value) == sentence
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mail", ["mail"]),
        ("mail -f --count 3 --verbosity=2", ["mail", "-f", "--count", "3", "--verbosity=2"]),
        ("mail --set x", ["mail", "--set", "x"]),
        ("mail send --to 'a b'", ["mail", "send", "--to", "a b"]),
    ],
)
def test_a_line_is_split_as_a_shell_would(line: str, words: list[str]) -> None:
    assert check_command(line) == words


def test_a_command_is_allowed_by_its_name_alone() -> None:
    assert check_command_name("mail -- --settings") == ["mail", "--", "--settings"]
    with pytest.raises(RowError):
        check_command_name("flush")


def explode(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("a row that is only judged has run code of its command's arguments")


class Explode(argparse.Action):
    __call__ = explode


Add = Callable[[CommandParser], object]
EFFECTS: dict[str, tuple[Add, str]] = {
    "a file": (lambda parser: parser.add_argument("--out", type=argparse.FileType("w")), "--out {path}"),
    "a file by place": (lambda parser: parser.add_argument("out", type=argparse.FileType("w")), "{path}"),
    "files": (lambda parser: parser.add_argument("out", nargs="+", type=argparse.FileType("w")), "{path} {path}"),
    "a file of a group": (
        lambda parser: parser.add_mutually_exclusive_group().add_argument("--out", type=argparse.FileType("w")),
        "--out {path}",
    ),
    "a file of a subcommand": (
        lambda parser: parser.add_subparsers().add_parser("to").add_argument("out", type=argparse.FileType("w")),
        "to {path}",
    ),
    "a file by default": (
        lambda parser: parser.add_argument("--out", type=argparse.FileType("w"), default="{path}"),
        "",
    ),
    "a type": (lambda parser: parser.add_argument("--day", type=explode), "--day monday"),
    "a type with choices": (lambda parser: parser.add_argument("--day", type=explode, choices=[1, 2]), "--day 1"),
    "an action": (lambda parser: parser.add_argument("--day", action=Explode, nargs=2), "--day 1 2"),
    "a file of arguments": (lambda parser: setattr(parser, "fromfile_prefix_chars", "@"), "@{path}"),
}


@pytest.mark.parametrize(("add", "words"), EFFECTS.values(), ids=EFFECTS.keys())
def test_a_line_that_is_judged_has_no_effects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, add: Add, words: str
) -> None:
    path = tmp_path / "invoices.csv"
    path.write_text("--what")

    class Export(BaseCommand):
        def add_arguments(self, parser: CommandParser) -> None:
            add(parser)
            for action in parser._actions:
                if action.default == "{path}":
                    action.default = str(path)

    monkeypatch.setitem(get_commands(), "mail", Export())
    line = f"mail {words}".format(path=path)

    assert check_command(line) == line.split()
    assert path.read_text() == "--what"


@pytest.mark.parametrize("words", ["", "a b", "a --day 1", "a --day 1 2 --what"])
def test_what_does_not_fit_is_refused_beside_such_an_argument(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    class Export(BaseCommand):
        def add_arguments(self, parser: CommandParser) -> None:
            parser.add_argument("out", type=argparse.FileType("w"))
            parser.add_argument("--day", action=Explode, nargs=2)

    monkeypatch.setitem(get_commands(), "mail", Export())

    with pytest.raises(RowError, match="“mail” does not take"):
        check_command(f"mail {words}")


@pytest.mark.parametrize(
    ("processes", "refused"), [(0, ""), (1, ""), (3, ""), (4, "shard 0 4")], ids=["none", "one", "all", "more"]
)
def test_a_line_is_judged_with_the_numbers_of_its_first_and_of_its_last_process(processes: int, refused: str) -> None:
    found = find_row_problems(JobSpec("form", command="shard {index} {processes}", processes=processes))

    assert list(found) == (["command"] if refused else [])
    assert refused.partition(" ")[2] in str(found)
    by_index = find_row_problems(JobSpec("form", command="shard {index} 3", processes=processes))
    assert ("“3 3”" in str(by_index)) == (processes == 4)


def test_the_name_of_a_command_has_no_number() -> None:
    assert list(find_row_problems(JobSpec("form", command="shard{index} 0 1", processes=1))) == ["command"]
