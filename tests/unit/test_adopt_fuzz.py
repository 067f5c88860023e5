"""Whatever a file holds, adoption raises nothing, and each program is in one list, once."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_adopt_files import FILES, context
from workerd.adopt import crontab, procfile, supervisor
from workerd.adopt.adopted import Result
from workerd.adopt.context import Context
from workerd.adopt.formats import FORMATS
from workerd.adopt.ini_file import read_ini
from workerd.job_rules.written import filled, find_written_faults

SAMPLES = sorted(path for path in FILES.rglob("*") if path.is_file() and path.stem not in ("expected", "c"))
TEXTS = [path.read_text()[:1500] for path in SAMPLES]
PIECES = (
    *("{{ x }}", "`date`", "$(", "'", '"', "%", "%(process_num)s", "\\", "\n", " ", "&&", "|", ";", "#", "[", "]", "="),
    *(":", "*", "@daily ", "0 0 * * * ", "\t", "ü", "\x7f", "numprocs=2\n", "-", "$X", "~", "<", ">", "cd ", "env "),
    *("flock ", "timeout ", "nice ", "bash -c ", "manage.py ", "db_worker ", "[program:x]\n", "\u2028"),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a sample with pieces put in, taken out and repeated."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(0, 8))):
        start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        piece = draw(st.sampled_from(PIECES) | st.just(text[start:end][:200]))
        text = text[:start] + piece + text[draw(st.sampled_from((start, min(end, start + 20)))) :]
    return text


def places(result: Result) -> Counter[str]:
    """Return how often each place is told: of one line, or of a section's first line, comes one program."""
    return Counter([job.place for job in result.adopted] + [program.place for program in result.refused])


def programs_of_supervisor(text: str) -> int:
    kinds = ("include", "group", "supervisord", "unix_http_server", "inet_http_server", "supervisorctl")
    more = ("rpcinterface", "ctlplugin", "DEFAULT")
    sections = read_ini(text).sections
    return sum(name.partition(":")[0].strip() not in kinds + more for name in sections)


def programs_of_a_procfile(text: str) -> int:
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.split("\n"))


def programs_of_a_crontab(text: str) -> int:
    lines = (line.strip() for line in text.split("\n"))
    variable = re.compile(r"""("[^"]+"|'[^']+'|[A-Za-z_]\w*)\s*=""", re.ASCII)
    return sum(bool(line) and not line.startswith("#") and not variable.match(line) for line in lines)


Read = Callable[[Path, str, Context], Result]
COUNTED: dict[str, tuple[Read, Callable[[str], int]]] = {
    "supervisor": (supervisor.read, programs_of_supervisor),
    "procfile": (procfile.read, programs_of_a_procfile),
    "crontab": (crontab.read, programs_of_a_crontab),
    "cron.d": (crontab.read_with_users, programs_of_a_crontab),
}


@pytest.mark.parametrize("kind", COUNTED)
@given(text=mutated() | st.text(max_size=200))
def test_each_program_of_any_text_is_adopted_or_refused_once(kind: str, text: str) -> None:
    read, count = COUNTED[kind]
    text = text.replace("[include]", "[included]")  # what other files hold is not counted here

    result = read(Path("any"), text, context([]))

    assert sum(places(result).values()) == count(text)
    assert kind == "supervisor" or max(places(result).values(), default=1) == 1


@pytest.mark.parametrize("kind", COUNTED)
@given(text=mutated())
def test_whatever_is_adopted_holds_to_the_rules_of_a_row(kind: str, text: str) -> None:
    result = COUNTED[kind][0](Path("any"), text.replace("[include]", ""), context([]))

    assert [find_written_faults(job.name, filled(job.values)) for job in result.adopted] == [[] for _ in result.adopted]
    assert all(program.reason.strip() for program in result.refused)


@given(text=mutated() | st.text(max_size=200))
def test_any_text_has_a_format_or_none(text: str) -> None:
    for kind in FORMATS.values():
        assert kind.fits(Path("any"), text) in (True, False)
