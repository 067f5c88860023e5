"""What a row may run, and the sentence for each that it may not."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workerd import registry
from workerd.arguments import check_environment, read_environment
from workerd.registry import job
from workerd.targets import RowError, TargetError, check_allowed, find_row_problems, resolve
from workerd.wire.spec import JobSpec

GOODS = """
import enum
import os
import subprocess
from dataclasses import dataclass
from functools import partial
from os import system
from workerd import job

def count(limit: int = 1, *, name): ...
def any_kwargs(**kwargs): ...
def by_position(first, /): ...
def with_default(first=1, /, second=2): ...
def yielding(): yield
async def coroutine(limit): ...
@job
def marked(context, limit=1): ...
class Box:
    @classmethod
    def open(cls): ...
class Shell(subprocess.Popen): ...
class Deeper(Shell): ...
class Opener(type(os.PathLike)): ...
class Colours(enum.Enum): ...
class Own:
    def __init__(self, limit=1): ...
class Heir(Own): ...
class Plain: ...
@dataclass
class Data:
    limit: int = 1
bound = partial(os.system, "true")
number = 1
def __getattr__(name):
    if name == "explosive":
        raise RuntimeError("do not touch")
    raise AttributeError(name)
"""


@pytest.fixture(autouse=True)
def goods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """A package that the allow-list names, with sound modules and broken ones."""
    monkeypatch.setattr(registry, "_registered", dict(registry.registered()))
    package = tmp_path / "goods"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "jobs.py").write_text(GOODS)
    (package / "absent.py").write_text("import nothing_of_that_name\n")
    (package / "syntax.py").write_text("def broken(:\n")
    (package / "raising.py").write_text("def load():\n    raise KeyError('colour')\nload()\n")
    (package / "leaving.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.WORKERD = {**settings.WORKERD, "TARGETS": ["goods.*"], "COMMANDS": ["check"]}
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "goods"]:
        del sys.modules[name]


@job
def ship(context: Any, warehouse: str, /, limit: int = 1) -> None: ...


@job
def sell(context: Any, warehouse: str, limit: int = 1) -> None: ...


@job
def take_all(context: Any, **kwargs: Any) -> None: ...


@job
def take_any(*args: Any, **kwargs: Any) -> None: ...


HERE = __name__


def spec_of(target: str = "", command: str = "", kwargs: Any = None) -> JobSpec:
    return JobSpec("a-job", target=target, command=command, kwargs={} if kwargs is None else kwargs)


def refusal(target: str = "", command: str = "", kwargs: Any = None) -> str:
    with pytest.raises(RowError) as caught:
        resolve(spec_of(target, command, kwargs))
    return str(caught.value)


NOT_ALLOWED = (
    'is not a job that the project allows. Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].'
)
CORRECT = " Correct the code, then reload workerd."
OF_AN_ENGINE = 'is not a job that the project allows. Add "rq" to WORKERD["ENGINES"].'
REALLY = 'which the project does not allow. Mark a function of your own @job, or add that name to WORKERD["TARGETS"].'

SENTENCES = {
    "os.system": NOT_ALLOWED,
    "nothing.at.all": NOT_ALLOWED,
    "workerd.contrib.rq.worker": OF_AN_ENGINE,
    "workerd.contrib.nothing.worker": NOT_ALLOWED,
    "workerd.contribution.rq.worker": NOT_ALLOWED,
    "goods.jobs.subprocess.run": "is really “subprocess.run”, " + REALLY,
    "goods.jobs.system": "is really “posix.system”, " + REALLY,
    "goods.jobs.os.path.join": "is really “posixpath.join”, " + REALLY,
    "goods.jobs.bound": "is of type partial, not a function. Name a function, or write one that calls it.",
    "goods.jobs.Shell": "is constructed by “subprocess.Popen”, " + REALLY,
    "goods.jobs.Deeper": "is constructed by “subprocess.Popen”, " + REALLY,
    "goods.jobs.Colours": "is constructed by “enum.Enum”, " + REALLY,
    "goods.jobs.Opener": "is constructed by “abc.ABCMeta”, " + REALLY,
    "goods.jobs.number": "is of type int, not a function. Name a function, or write one that calls it.",
    "goods.jobs.missing": "does not exist: “goods.jobs” has no “missing”. Correct the name.",
    "goods.nothing.here": "does not import: ModuleNotFoundError: No module named 'goods.nothing'." + CORRECT,
    "goods.absent.work": "does not import: ModuleNotFoundError: No module named 'nothing_of_that_name' "
    "({goods}/absent.py, line 1)." + CORRECT,
    "goods.syntax.work": "does not import: SyntaxError: invalid syntax (syntax.py, line 1)." + CORRECT,
    "goods.raising.work": "does not import: KeyError: 'colour' ({goods}/raising.py, line 2)." + CORRECT,
    "goods.leaving.work": "does not import: SystemExit: 3 ({goods}/leaving.py, line 1)." + CORRECT,
    "goods.jobs.explosive": "does not import: RuntimeError: do not touch ({goods}/jobs.py, line 36)." + CORRECT,
    "goods.jobs.yielding": "has a “yield”, so a call would run nothing. Loop inside the function.",
    "goods.jobs.by_position": "takes “first” by position only, and a row passes arguments by name. "
    "Remove the “/” from its signature.",
    "goods.jobs.count": "needs the argument “name”. Add it to kwargs.",
}


def test_a_target_that_an_engine_does_not_have_is_told_which_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"workerd.contrib.rq.worker": registry.registered()[f"{HERE}.ship"]}
    monkeypatch.setattr(registry, "_registered", known)

    assert refusal("workerd.contrib.rq.wroker") == (
        "“workerd.contrib.rq.wroker” is not a job that the project allows. "
        "Name a target that the engine “rq” has: workerd.contrib.rq.worker."
    )


@pytest.mark.parametrize(("target", "sentence"), SENTENCES.items(), ids=SENTENCES.keys())
def test_each_target_that_cannot_run_has_its_sentence(tmp_path: Path, target: str, sentence: str) -> None:
    assert refusal(target) == f"“{target}” {sentence}".replace("{goods}", str(tmp_path / "goods"))


NO_PATHS = ["ship", "goods..jobs", "goods.jobs.count()", "goods.jobs.count.__globals__", "goods.jobs.lambda"]


@pytest.mark.parametrize("target", NO_PATHS)
def test_what_is_no_dotted_path_is_refused_by_the_rows_rules(target: str) -> None:
    assert refusal(target).startswith(f"target is '{target}', not the dotted path of a function: ")


def test_every_fault_of_a_spec_is_told_at_once() -> None:
    with pytest.raises(RowError) as caught:
        resolve(JobSpec("two words", processes=-1))

    assert [fault.field for fault in caught.value.faults] == ["name", "processes", "target", "command"]


ARGUMENTS = {
    "unexpected": (
        f"{HERE}.sell",
        {"warehouse": "a", "lim": 1},
        "takes no argument “lim”. It takes “warehouse”, “limit”.",
    ),
    "missing": (f"{HERE}.sell", {}, "needs the argument “warehouse”. Add it to kwargs."),
    "the context": (f"{HERE}.sell", {"warehouse": "a", "context": 1}, "takes no argument “context”."),
    "the context among any": (f"{HERE}.take_all", {"context": 1}, "takes no argument “context”. It takes none."),
    "positional-only": (f"{HERE}.ship", {"limit": 2}, "takes “warehouse” by position only"),
}


@pytest.mark.parametrize(("target", "kwargs", "sentence"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_kwargs_that_do_not_fit_are_refused_in_the_kwargs_field(target: str, kwargs: Any, sentence: str) -> None:
    assert sentence in refusal(target, kwargs=kwargs)


def test_a_marked_job_gets_the_context() -> None:
    target = resolve(spec_of(f"{HERE}.sell", kwargs={"warehouse": "main"}))

    assert (target.function, target.takes_context, target.is_async) == (sell, True, False)
    assert target.kwargs == {"warehouse": "main"}


@pytest.mark.parametrize("name", ["take_all", "take_any"])
def test_a_job_with_any_kwargs_takes_any(name: str) -> None:
    assert resolve(spec_of(f"{HERE}.{name}", kwargs={"a": 1, "b": [2]})).kwargs == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    ("name", "kwargs", "is_async"),
    [
        ("count", {"name": "x"}, False),
        ("any_kwargs", {"y": 1}, False),
        ("with_default", {"second": 3}, False),
        ("coroutine", {"limit": 1}, True),
        ("Box.open", {}, False),
    ],
)
def test_a_target_by_pattern_is_called_without_a_context(name: str, kwargs: dict[str, Any], is_async: bool) -> None:
    target = resolve(spec_of(f"goods.jobs.{name}", kwargs=kwargs))

    assert (target.takes_context, target.is_async) == (False, is_async)
    assert target.function.__qualname__ == name


def test_a_marked_function_found_by_pattern_gets_the_context_all_the_same() -> None:
    assert resolve(spec_of("goods.jobs.marked")).takes_context


def test_what_no_list_names_is_never_imported() -> None:
    refusal("this.that")

    assert "this" not in sys.modules


def test_patterns_mind_case() -> None:
    assert NOT_ALLOWED in refusal("Goods.jobs.count")


def test_what_is_allowed_is_judged_without_an_import() -> None:
    check_allowed("goods.absent.work", "")
    check_allowed(f"{HERE}.sell", "")
    check_allowed("", "check --deploy")
    for target, command in [("os.system", ""), ("", "flush")]:
        with pytest.raises(TargetError):
            check_allowed(target, command)

    assert "goods.absent" not in sys.modules


@pytest.mark.parametrize(
    ("target", "command", "kwargs", "fields"),
    [
        (f"{HERE}.sell", "", {"warehouse": "a"}, []),
        (f"{HERE}.take_all", "", {}, []),
        (f"{HERE}.sell", "", [], ["kwargs"]),
        ("os.system", "", {}, ["target"]),
        (f"{HERE}.sell", "check", {}, ["target", "command"]),
        ("", "check --settings=x", {}, ["command"]),
        ("", "check", {"deploy": True}, ["kwargs"]),
        ("", "check", ["deploy"], ["kwargs"]),
    ],
)
def test_a_form_gets_its_problems_by_field(target: str, command: str, kwargs: Any, fields: list[str]) -> None:
    assert list(find_row_problems(JobSpec("form", target=target, command=command, kwargs=kwargs))) == fields


def test_a_form_says_when_the_projects_jobs_do_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("no module of that name")

    monkeypatch.setattr("workerd.targets.autodiscover", broken)

    [sentence] = find_row_problems(JobSpec("form", target="shop.jobs.ship_orders"))["target"]
    assert sentence.startswith("“The project's jobs” does not import: ImportError: no module of that name")


def test_secrets_come_from_the_environment_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_KEY", "sk_1")

    kwargs = {"key": {"$env": "STRIPE_KEY"}, "all": [{"deep": {"$env": "STRIPE_KEY"}}], "n": 1}

    filled, secrets = read_environment("kwargs", kwargs)

    assert filled == {"key": "sk_1", "all": [{"deep": "sk_1"}], "n": 1}
    assert secrets == ["sk_1", "sk_1"]


@pytest.mark.parametrize(
    ("allowed", "name", "is_allowed"),
    [
        ([], "STRIPE_KEY", False),
        (["STRIPE_KEY"], "STRIPE_KEY", True),
        (["STRIPE_KEY"], "stripe_key", False),
        (["STRIPE_KEY"], "STRIPE_KEY_2", False),
        (["SHOP_*"], "SHOP_MAIL_PASSWORD", True),
        (["SHOP_*"], "PATH", False),
        (["SHOP_*"], "$SHOP_A", False),
    ],
)
def test_a_row_takes_only_variables_that_the_project_allows(
    settings: Any, allowed: list[str], name: str, is_allowed: bool
) -> None:
    settings.WORKERD = {"ENV": allowed}
    if is_allowed:
        check_environment("kwargs", {"deep": [{"key": {"$env": name}}]})
        return
    with pytest.raises(TargetError, match="is not allowed or not set"):
        check_environment("kwargs", {"deep": [{"key": {"$env": name}}]})


def test_a_name_that_is_not_allowed_and_one_that_is_not_set_get_one_answer(settings: Any) -> None:
    assert "NO_SUCH_KEY" not in os.environ
    answers = []
    for settings.WORKERD, judge in (({}, check_environment), ({"ENV": ["*"]}, read_environment)):
        with pytest.raises(TargetError) as caught:
            judge("kwargs", {"key": {"$env": "NO_SUCH_KEY"}})
        answers.append(str(caught.value))

    [answer] = set(answers)
    assert answer == (
        "kwargs.key asks for the environment variable “NO_SUCH_KEY”, which is not allowed or not set. "
        'Add "NO_SUCH_KEY" to WORKERD["ENV"], set it where the daemon is started, and restart the daemon.'
    )


@pytest.mark.parametrize("name", ["Own", "Heir", "Plain", "Data"])
def test_a_class_of_the_projects_own_making_is_called(name: str) -> None:
    assert resolve(spec_of(f"goods.jobs.{name}")).name == f"goods.jobs.{name}"
