"""The labels that a job needs of a node, as people write them: "zone=a, disk!=hdd"; they mean what Kubernetes means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workerd.errors import WorkerdError

from .rule import Rule, rule_of, shown

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
LETTERS = "letters, digits, - _ . and, in a name, /, with a letter or a digit at both ends"

_TERM = re.compile(r"(?P<none>!?)\s*(?P<name>[^\s=!]+)(\s*(?P<sign>==?|!=)\s*(?P<value>[^\s=!]*))?")
_REMEDY = (
    "write “name=value” or “name!=value”, “name” for any value or “!name” for none, with a comma for and, "
    "such as “zone=a, disk!=hdd”"
)


class WhereError(WorkerdError, ValueError):
    """The text does not say which labels a node needs."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"where {what}: {remedy}.")


@dataclass(frozen=True, slots=True)
class Term:
    """A question about one label; ``value`` None asks whether there is such a label at all."""

    name: str
    value: str | None
    wanted: bool
    """Whether the node has to have it, or must not: a node without the label has no value of it."""

    def fits(self, labels: Mapping[str, str]) -> bool:
        return self.wanted == (self.name in labels if self.value is None else labels.get(self.name) == self.value)

    def __str__(self) -> str:
        if self.value is None:
            return self.name if self.wanted else f"!{self.name}"
        return f"{self.name}{'=' if self.wanted else '!='}{self.value}"


@dataclass(frozen=True, slots=True)
class Where:
    """Every term has to fit; without a term, every node does."""

    terms: tuple[Term, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(term.fits(labels) for term in self.terms)

    def misfit(self, labels: Mapping[str, str]) -> str:
        """Return why a node of these labels may not run the job, as words that follow the node's name; "" if it may."""
        for term in self.terms:
            if not term.fits(labels):
                has = f"{term.name}={labels[term.name]}" if term.name in labels else f"no label “{term.name}”"
                return f"has {has}, and where asks for {term}"
        return ""

    def __str__(self) -> str:
        return ", ".join(map(str, self.terms))


def parse_where(text: str) -> Where:
    """Return what ``text`` asks for. Raises WhereError."""
    if not text.strip():
        return Where()
    where = Where(tuple(map(_read_term, text.split(","))))
    values: dict[str, str] = {}
    for term in where.terms:
        if term.wanted and term.value is not None and values.setdefault(term.name, term.value) != term.value:
            raise WhereError(
                f"asks for {term.name}={values[term.name]} and for {term}, which no node has both",
                "leave one, as a comma means and",
            )
    return where


def _read_term(text: str) -> Term:
    text = text.strip()
    match = _TERM.fullmatch(text)
    if not match or (match["none"] and match["sign"]):
        found = shown(text) if text else "a comma"
        raise WhereError(f"has {found} where a label should be", _REMEDY)
    if not NAME.fullmatch(match["name"]):
        raise WhereError(f"names the label {shown(match['name'])}", f"use {LETTERS}")
    if match["value"] and not VALUE.fullmatch(match["value"]):
        raise WhereError(f"gives {match['name']} the value {shown(match['value'])}", f"use {LETTERS}")
    return Term(match["name"], match["value"], wanted=not match["none"] and match["sign"] != "!=")


def where_fault(text: str | None) -> str:
    if text is None:  # an earlier release has written the row
        return ""
    try:
        parse_where(text)
    except WhereError as error:
        return str(error)
    return ""


RULES: tuple[Rule, ...] = (rule_of("where", where_fault),)
