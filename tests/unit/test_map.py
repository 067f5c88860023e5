"""docs/design.md is the map of the product: every file, every public class, every event, state and outcome is on it.

``python -m tests.unit.test_map`` writes the table of events and their files.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from workerd.wire.events import EVENTS
from workerd.wire.words import Outcome, State

from .test_borders import LAYERS, MAY_IMPORT

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workerd"
PAGE = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- event files -->\n", "<!-- end of event files -->"
KINDS = {".py", ".html", ".js", ".css"}


@cache
def page() -> str:
    """Return the page without its fenced blocks, whose backticks would pair with others."""
    return re.sub(r"^```.*?^```$", "", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    text = page().partition(f"\n## {title}\n")[2]
    assert text, f"docs/design.md has no section “{title}”"
    return text.partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


# files


def says_something(path: Path) -> bool:
    """Return whether there is more in a file than a docstring; a package's empty ``__init__`` needs no line."""
    if path.name != "__init__.py":
        return True
    return any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


def files() -> set[str]:
    found = (path for path in PACKAGE.rglob("*") if path.suffix in KINDS and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in found if says_something(path)}


def files_on_the_map() -> list[str]:
    """Return the path of each row: the first folder that its heading names, and the row's first cell."""
    rows = []
    for part in section("The files").split("\n### ")[1:]:
        heading, _, table = part.partition("\n")
        rows += [f"{folder_of(name, heading)}{name}" for name in first_cells(table)]
    return rows


def folder_of(name: str, heading: str) -> str:
    folders = re.findall(r"`(workerd/[^`]*)`", heading)
    return "workerd/" if len(folders) > 1 and "/" in name else folders[0]


def test_every_file_of_the_product_has_a_line_on_the_map() -> None:
    missing = sorted(files() - set(files_on_the_map()))

    assert missing == [], "say under “The files” of docs/design.md, in one sentence, what each of these decides or owns"


def test_every_line_of_the_map_is_a_file() -> None:
    stale = sorted(set(files_on_the_map()) - files())

    assert stale == [], "take these lines out of “The files” of docs/design.md: there are no such files"


def test_no_file_is_on_the_map_twice() -> None:
    rows = files_on_the_map()

    assert sorted(path for path in set(rows) if rows.count(path) > 1) == []


def test_every_path_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:workerd|tests|benchmarks|docs|deploy)/[^`\s*]+)`", page()))

    assert sorted(path for path in named if not (ROOT / path).exists()) == [], "docs/design.md names them"


# words


def public_classes() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "migrations" not in path.parts:
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not node.name.endswith("Error"):
                    yield node.name, str(path.relative_to(ROOT))


def test_every_public_class_is_named_on_the_page() -> None:
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", page()))))
    unnamed = [f"{name} of {path}" for name, path in public_classes() if name not in named]

    assert unnamed == [], "name each in the line of its file in docs/design.md, and explain a new word under “Words”"


def test_no_word_is_explained_twice() -> None:
    words = re.findall(r"^\| ([^|]+) \|", section("Words"), re.MULTILINE)[2:]

    assert sorted(word for word in set(words) if words.count(word) > 1) == []


# borders


def test_the_page_tells_the_imports_of_each_folder_as_they_are_held() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", section("What a line may do"), re.MULTILINE)
    told = {folder: set(re.findall(r"`(\w+)`", imports)) for folder, imports in rows if folder not in LAYERS}

    assert told == {folder: set(may - {folder}) for folder, may in MAY_IMPORT.items()}


def test_the_page_has_the_layers_in_their_order() -> None:
    rows = [name for name in first_cells(section("What a line may do")) if name in LAYERS]

    assert rows == list(LAYERS)


# events


def events_said(path: Path) -> set[str]:
    """Return the events that a file logs: by a call of something named emit…, or as a line that it renders itself."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    values = [
        value for node in nodes if isinstance(node, ast.Call) and called(node)[:4] == "emit" for value in node.args
    ]
    values += [value for node in nodes if isinstance(node, ast.Dict) for value in lines_in(node)]
    return {str(value.value) for value in values if isinstance(value, ast.Constant) and value.value in EVENTS}


def lines_in(node: ast.Dict) -> Iterator[ast.expr]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "event":
            yield value


def called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


@cache
def event_table() -> str:
    """Return the table as the page has it."""
    where: dict[str, list[str]] = {name: [] for name in EVENTS}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in events_said(path):
            where[name].append(f"`{path.relative_to(ROOT)}`")
    rows = [f"| `{name}` | {', '.join(paths)} |" for name, paths in where.items()]
    return "\n".join(["| event | logged by |", "|---|---|", *rows, ""])


def test_the_page_tells_which_file_logs_each_event() -> None:
    written = page().partition(BEGIN)[2].partition(END)[0]

    assert written == event_table(), "run: python -m tests.unit.test_map"


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_logged_somewhere(name: str) -> None:
    assert re.search(rf"^\| `{re.escape(name)}` \| `", event_table(), re.MULTILINE)


# states and outcomes


def places() -> str:
    return section("From a state, an outcome or a row to its file")


def test_the_page_tells_where_each_state_comes_from() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \|", places(), re.MULTILINE)

    assert sorted(rows) == sorted(state.value for state in State)


def outcome_rows() -> list[tuple[str, list[str]]]:
    rows = re.findall(r"^\| `([a-z_]+)` \|[^|]*\|([^|]*)\|", places(), re.MULTILINE)
    return [(name, re.findall(r"`([^`]+)`", paths)) for name, paths in rows]


def test_the_page_tells_which_file_decides_each_outcome() -> None:
    assert sorted(name for name, _ in outcome_rows()) == sorted(outcome.value for outcome in Outcome)


@pytest.mark.parametrize(("name", "paths"), outcome_rows())
def test_a_file_that_decides_an_outcome_names_it(name: str, paths: list[str]) -> None:
    silent = [path for path in paths if f"Outcome.{Outcome(name).name}" not in (ROOT / path).read_text()]

    assert silent == [], "docs/design.md says that this outcome is decided there"


if __name__ == "__main__":
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(head + BEGIN + event_table() + END + rest.partition(END)[2])
