"""docs/moving.md shows files, and what becomes of them: that is what ``adopt`` prints.

``python -m tests.unit.test_adopt_page`` writes what it prints into the page.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.examples import examples
from tests.unit.test_adopt_files import context, printed
from workerd.adopt.formats import adopt

PAGE = Path(__file__).resolve().parents[2] / "docs" / "moving.md"
SHOWN = re.compile(
    r"(```sh\npython manage\.py workerd adopt (?P<file>\S+) > jobs\.toml\n```\n\n)"
    r"```toml\n(?P<toml>.*?)```\n(?:\n```text\n(?P<said>.*?)```\n)?",
    re.DOTALL,
)


def shown() -> Iterator[tuple[str, str, str]]:
    """Yield the file of each line that adopts one, and what stands below it as printed."""
    return ((found["file"], found["toml"], found["said"] or "") for found in SHOWN.finditer(PAGE.read_text()))


def adopted(name: str, folder: Path) -> tuple[str, str]:
    for file, text in examples(PAGE.read_text()).items():
        (folder / file).write_text(text)
    known = replace(context([Path(name)]), commands=["expire_carts"], allowed_commands=["expire_carts"])
    return printed(adopt([Path(name)], known))


def test_the_page_shows_a_file_of_each_kind() -> None:
    assert [name for name, _, _ in shown()] == ["shop.conf", "Procfile", "shop.crontab", "nightly.timer"]


@pytest.mark.parametrize(("name", "toml", "said"), list(shown()))
def test_the_page_shows_what_is_printed(
    name: str, toml: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert adopted(name, tmp_path) == (toml, said)


if __name__ == "__main__":
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)

        def write(found: re.Match[str]) -> str:
            toml, said = adopted(found["file"], Path(folder))
            below = f"\n```text\n{said}```\n" if said else ""
            return f"{found[1]}```toml\n{toml}```\n{below}"

        PAGE.write_text(SHOWN.sub(write, PAGE.read_text()))
