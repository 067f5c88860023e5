"""The files that are adopted, each spoilt in one way throughout: a word for each program, and none is lost."""

import re
from pathlib import Path

import pytest

from tests.unit.test_adopt_files import FILES, context
from workerd.adopt.adopted import Result
from workerd.adopt.formats import adopt

GOOD = sorted(
    path
    for path in FILES.glob("*/*")
    if path.is_file() and path.stem != "expected" and not path.parent.name.endswith(("-spoilt", "-template"))
)
SPOILT = {
    "a placeholder": (" --x={{ x }}", "give the rendered file"),
    "back-ticks": (" --x `date`", "needs a shell"),
    "an open quotation": (' --x "open', "quotation"),
}


def spoil(text: str, words: str) -> str:
    """Put words at the end of each command."""
    if "[program:" in text:
        return re.sub(r"^(command\s*=.*?)(\s+;.*)?$", rf"\1{words}\2", text, flags=re.MULTILINE)
    if "[Service]" in text or "[Timer]" in text:
        return re.sub(r"^(ExecStart\s*=.*)$", rf"\1{words}", text, flags=re.MULTILINE)
    is_variable = re.compile(r"\w+\s*=")
    lines = text.split("\n")
    return "\n".join(
        line if not line.strip() or line.startswith("#") or is_variable.match(line) else f"{line}{words}"
        for line in lines
    )


def adopt_text(name: str, text: str) -> Result:
    path = Path(name)
    path.write_text(text)
    return adopt([path], context([path]))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}-{path.name}")
@pytest.mark.parametrize("way", SPOILT)
def test_each_spoilt_program_is_refused_with_its_word(path: Path, way: str) -> None:
    words, word = SPOILT[way]
    before = adopt_text(path.name, path.read_text())

    after = adopt_text(path.name, spoil(path.read_text(), words))

    were_jobs = {job.place for job in before.adopted}
    assert after.adopted == []
    assert sorted(one.place for one in after.refused) == sorted([*were_jobs, *(one.place for one in before.refused)])
    assert [one for one in after.refused if one.place in were_jobs and word not in one.reason] == []


@pytest.mark.parametrize("path", [path for path in GOOD if path.suffix == ".conf"], ids=lambda path: path.parent.name)
def test_a_directive_that_stands_twice_is_told(path: Path) -> None:
    before = adopt_text(path.name, path.read_text())

    after = adopt_text(path.name, re.sub("^command", "command=x\ncommand", path.read_text(), flags=re.MULTILINE))

    assert [job.values for job in after.adopted] == [job.values for job in before.adopted]
    told = "command stands more than once; the last one counts, as for supervisor."
    assert all(told in job.comments for job in after.adopted)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_unknown_section_is_told_and_nothing_else_changes(path: Path) -> None:
    before = adopt_text(path.name, path.read_text())

    after = adopt_text(path.name, f"{path.read_text().rstrip()}\n[programme:x]\n")

    assert after.adopted == before.adopted
    assert after.refused[:-1] == before.refused
    assert after.refused[-1].name == "programme:x" or after.refused[-1].name == "[programme:x]"
