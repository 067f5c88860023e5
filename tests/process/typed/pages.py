"""Collects command lines: from fenced blocks of shell, and from code within prose that begins with a program."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.project import ROOT

SHELLS = ("sh", "bash", "shell", "console")
PROGRAMS = r"python3?|manage\.py|pip|pytest|docker|systemctl|systemd-analyze|journalctl|supervisorctl|apt(?:-get)?"
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(rf"`((?:\.venv/bin/)?(?:{PROGRAMS})\s[^`]+)`")
COMMENT = re.compile(r"^ *[#;] ?(.*)$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Line:
    """One command line (of a console block all of them, as they share a shell), and the first page that has it."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def collect() -> list[Line]:
    """Return every command line once, page by page."""
    found: dict[str, Line] = {}
    for path in _pages():
        page = str(path.relative_to(ROOT))
        text = path.read_text()
        lines = read_page(text) if path.suffix == ".md" else read_comments(text)
        for line in lines:
            found.setdefault(line, Line(page, line))
    return list(found.values())


def read_page(text: str) -> list[str]:
    """Return the command lines of a page."""
    blocks = [line for shell, block in FENCE.findall(text) if shell in SHELLS for line in _read_block(shell, block)]
    return [*blocks, *_read_spans(FENCE.sub("", text))]


def read_comments(text: str) -> list[str]:
    """Return the command lines in the comments of a file."""
    return list(_read_spans("\n".join(COMMENT.findall(text))))


def _pages() -> list[Path]:
    deployed = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(deployed), ROOT / "docker-compose.yml"]


def _read_block(shell: str, block: str) -> Iterator[str]:
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    if shell == "console":
        yield "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
        return
    for line in lines:
        yield from _split(line)


def _read_spans(text: str) -> Iterator[str]:
    for span in SPAN.findall(text):
        yield from _split(" ".join(span.split()))


def _split(line: str) -> Iterator[str]:
    for part in line.split(" && "):
        if part and not part.startswith("#"):
            yield re.sub(r"^manage\.py", "python manage.py", part)
