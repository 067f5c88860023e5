"""The labels of a job, as people write them: "team=billing, tier=1" in a row, a table in a file or at ``@job``."""

from collections.abc import Iterable, Mapping
from typing import Any

from workerd.errors import WorkerdError
from workerd.wire.labels import labels_text

from .rule import Rule, rule_of, shown
from .stored_json import json_type
from .where import LETTERS, NAME, VALUE

MOST_LABELS = 10

_REMEDY = "write “name=value”, with a comma between two, such as “team=billing, tier=1”"


class LabelsError(WorkerdError, ValueError):
    """The text or the table does not say labels."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"labels {what}: {remedy}.")


def parse_labels(text: str) -> dict[str, str]:
    """Return the labels by name. Raises LabelsError."""
    return _judged(map(_read_pair, text.split(","))) if text.strip() else {}


def read_labels(written: Any) -> str | None:
    """Return the text for the row of what a file or a mark has; None stays. Raises LabelsError.

    A text that is none of labels is left for the rule.
    """
    if isinstance(written, str):
        return tidied(written)
    if isinstance(written, Mapping):
        return labels_text(_judged(written.items()))
    if written is not None:
        raise LabelsError(
            f"is {json_type(written)}", "write a table of texts, or one text, such as “team=billing, tier=1”"
        )
    return None


def as_table(text: str) -> dict[str, str] | str:
    """Return the labels as a file has them; a text that is none of labels stays as it is."""
    try:
        return parse_labels(text)
    except LabelsError:
        return text


def tidied(text: str) -> str:
    """Return the text as workerd writes it, so that a search finds it; one that is none of labels stays as it is."""
    table = as_table(text)
    return table if isinstance(table, str) else labels_text(table)


def _read_pair(text: str) -> tuple[str, str]:
    name, sign, value = map(str.strip, text.partition("="))
    if not (name and sign):
        raise LabelsError(f"has {shown(text.strip()) if text.strip() else 'a comma'} where a label should be", _REMEDY)
    return name, value


def _judged(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise LabelsError(f"has the name {shown(name) if name else repr(name)}", f"use {LETTERS}")
        if not isinstance(value, str):
            raise LabelsError(f"gives {name} {json_type(value)}", "write a text in quotes")
        if not VALUE.fullmatch(value):
            raise LabelsError(f"gives {name} the value {shown(value)}", f"use {LETTERS}")
        if name in labels:
            raise LabelsError(f"names “{name}” more than once", "remove the others")
        labels[name] = value
    if len(labels) > MOST_LABELS:
        raise LabelsError(f"has {len(labels)} labels, more than {MOST_LABELS}", "keep those that alerts go by")
    return labels


def labels_fault(text: str | None) -> str:
    if text is None:  # an earlier release has written the row
        return ""
    try:
        parse_labels(text)
    except LabelsError as error:
        return str(error)
    return ""


RULES: tuple[Rule, ...] = (rule_of("labels", labels_fault),)
