"""A row's command line: which commands, which options, and the sentence for each that may not stand there."""

from typing import Any

import pytest
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandParser

from workerd.command_lines import check_command, check_command_name
from workerd.refusals import RowError


class Mail(BaseCommand):
    """Has flags that may be bundled, and a subcommand."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-f", "--force", action="store_true")
        parser.add_argument("--set", help="not short for --settings: it is its own name")
        parser.add_argument("--count", type=int)
        parser.add_subparsers().add_parser("send").add_argument("--to")


@pytest.fixture(autouse=True)
def commands(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["mail", "absent", "broken"]}
    monkeypatch.setitem(get_commands(), "mail", Mail())  # call_command takes an instance too
    monkeypatch.setitem(get_commands(), "broken", "nothing_of_that_name")


FOREIGN = "“mail” may not be given “{}” in a row: it would print and end, or name another project. Remove that option."

SENTENCES = {
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
