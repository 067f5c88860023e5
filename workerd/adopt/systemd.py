"""Units of systemd: a service is a job, and a timer with its service is one that has a schedule."""

from collections.abc import Iterator
from pathlib import Path

from workerd.errors import WorkerdError

from .adopted import Adopted, Refused, Result
from .context import Context
from .draft import Draft
from .files import UnreadableFileError, read_text
from .times import Times, TimesError
from .unit_file import Unit
from .unit_service import SECTIONS, fill, finish_service
from .unit_timer import read_times

SERVICE, TIMER = ".service", ".timer"
MAX_DROP_INS = 100
TIMER_SECTIONS = ("Unit", "Timer", "Install")
UNIT_KINDS = ("automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap", "target", "timer")


class NoServiceError(WorkerdError):
    """A timer's service is not there; says what to do."""


def fits(path: Path, text: str) -> bool:
    """Return whether the file is a service or a timer."""
    return path.suffix in (SERVICE, TIMER) or "\n[Service]" in f"\n{text}"


def read(path: Path, text: str, context: Context) -> Result:
    """Return the job of a service, or of a timer and the service that it starts."""
    result = Result()
    unit = _unit(path, text, path.name if path.suffix in (SERVICE, TIMER) else f"{path.name}{SERVICE}", result)
    if unit.name.endswith(TIMER):
        try:
            service = _service_of(unit, path, result)
        except NoServiceError as error:
            result.add(Refused(unit.name, str(path), str(error)))  # a service of that stem may be a job of its own
        else:
            _add(result, _scheduled(unit, service, str(path), context))
    elif timer := _timer_of(unit, path, context):
        if timer in context.paths:
            return Result(notes=[f"{path}: it is adopted with {timer.name}, which starts it."])
        result.notes.append(f"{path}: {timer.name}, beside it, says when it runs.")
        _add(result, _scheduled(_unit(timer, read_text(timer), timer.name, result), unit, str(path), context))
    else:
        draft = Draft(unit.stem, str(path))
        fill(draft, unit, SECTIONS, context)
        finish_service(draft, unit, context)
        result.add(draft.finish())
    result.refused.sort(key=lambda one: one.name.startswith("["))  # the unit, then its sections
    return result


def _unit(path: Path, text: str, name: str, result: Result) -> Unit:
    """Return the unit with its drop-ins, in systemd's order."""
    unit = Unit(name)
    unit.add(text, str(path))
    for file in _drop_ins(path.parent / f"{name}.d"):
        try:
            unit.add(read_text(file), str(file))
            result.notes.append(f"{path}: {file.name}, its drop-in, is read with it.")
        except UnreadableFileError as error:
            result.notes.append(str(error))
    result.notes.extend(unit.faults)
    result.refused.extend(_unknown_sections(unit))
    return unit


def _drop_ins(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.conf"))[:MAX_DROP_INS]
    except OSError:  # such as a name that is too long to have one
        return []


def _unknown_sections(unit: Unit) -> Iterator[Refused]:
    """Yield each section that such a unit does not have; those that begin with X- are for other programs."""
    known = TIMER_SECTIONS if unit.name.endswith(TIMER) else SECTIONS
    for section, where in unit.sections.items():
        if section not in known and not section.startswith("X-"):
            reason = f"A unit such as this has no section [{section}]: correct its name, or remove it."
            yield Refused(f"[{section}]", where, reason)


def _service_of(timer: Unit, path: Path, result: Result) -> Unit:
    """Return the service beside a timer, of a template where it is an instance of one. Raises NoServiceError."""
    name = _started_by(timer)
    result.notes.extend(
        f"{path}: Unit={other} names no unit; systemd takes no notice of it." for other in _no_units(timer)
    )
    if not name.endswith(SERVICE):
        raise NoServiceError(f"The timer starts {name}, which is no service: adopt what that starts.")
    prefix, at, _instance = name.partition("@")
    for file in (path.with_name(name), *([path.with_name(f"{prefix}@{SERVICE}")] if at else [])):
        try:
            text = read_text(file)
        except UnreadableFileError:
            continue
        return _unit(file, text, name, result)
    raise NoServiceError(f"The timer starts {name}, which cannot be read beside it: put it there.")


def _started_by(timer: Unit) -> str:
    """Return the name of the unit that a timer starts: the last that it names, or the service of its own name."""
    named = [name for name in timer.all("Timer", "Unit") if name not in _no_units(timer)]
    return named[-1] if named else f"{timer.stem}{SERVICE}"


def _no_units(timer: Unit) -> list[str]:
    """Return what stands where a unit's name should and is none: it lacks a kind, has a folder, or is the timer's."""
    return [
        name
        for name in timer.all("Timer", "Unit")
        if name.rpartition(".")[2] not in UNIT_KINDS or "/" in name or name == timer.name
    ]


def _timer_of(service: Unit, path: Path, context: Context) -> Path | None:
    """Return the timer that starts a service: one that is adopted with it, or else the one beside it."""
    beside = path.with_name(f"{service.stem}{TIMER}")
    together = [timer for timer in context.paths if timer.suffix == TIMER and timer.parent == path.parent]
    for timer in dict.fromkeys([*together, beside]):
        if timer.is_file():
            try:
                unit = _unit(timer, read_text(timer), timer.name, Result())
            except UnreadableFileError:
                continue
            if _started_by(unit) == service.name:
                return timer
    return None


def _scheduled(timer: Unit, service: Unit, place: str, context: Context) -> Iterator[Adopted | Refused]:
    """Yield a job for each schedule of the timer, or one refusal."""
    try:
        times, fault = read_times(timer, context.time_zone), ""
    except TimesError as error:
        times, fault = [Times("")], str(error)
    for one in times:
        draft = Draft(service.stem, place)
        if fault:
            draft.block(fault)
        one.give(draft)
        if one.schedule and not one.schedule.startswith("every"):
            draft.values["start_within"] = 0.0  # unless the timer is persistent
        for unit, sections in ((service, SECTIONS), (timer, TIMER_SECTIONS)):
            fill(draft, unit, sections, context)
        finish_service(draft, service, context)
        yield draft.finish()


def _add(result: Result, programs: Iterator[Adopted | Refused]) -> None:
    """Add all, but what is refused for the same reasons once."""
    for program in programs:
        if program not in result.refused:
            result.add(program)
