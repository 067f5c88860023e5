"""An operator's choices for a sync: whose value counts where, which rows it takes over, what it deletes. Pure."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from .rules import Choice


@dataclass(frozen=True, slots=True)
class Choices:
    """``take`` and ``give`` hold “mail.processes”, or “mail” for all that the code says of that job."""

    take: frozenset[str] = frozenset()
    give: frozenset[str] = frozenset()
    adopt: frozenset[str] = frozenset()
    prune: bool = False
    create_disabled: bool = False

    def of(self, name: str, field: str) -> Choice:
        """Return what was chosen for a field: what names it goes before what names its job."""
        for key in (f"{name}.{field}", name):
            if key in self.take:
                return Choice.TAKE
            if key in self.give:
                return Choice.GIVE
        return Choice.NONE


def find_choice_faults(choices: Choices, fields: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Yield a sentence for each choice that means nothing; ``fields`` has, by job, what the code says or has said."""
    for key in sorted(choices.take & choices.give):
        yield f"“{key}” is both taken and given: choose one."
    for option, keys in (("take", choices.take), ("give", choices.give), ("adopt", choices.adopt)):
        for key in sorted(keys):
            name, dot, field = key.partition(".")
            if name not in fields:
                yield f"--{option} {key}: the code defines no job “{name}”.{_likely(name, fields)}"
            elif dot and option == "adopt":
                yield f"--adopt {key}: a row is adopted as a whole. Write --adopt {name}."
            elif dot and field not in fields[name]:
                yield f"--{option} {key}: the code does not say “{field}” of “{name}”.{_likely(field, fields[name])}"


def _likely(word: str, words: Collection[str]) -> str:
    likely = difflib.get_close_matches(word, words, n=1)
    if likely:
        return f" Did you mean “{likely[0]}”?"
    return f" There are {', '.join(sorted(words)[:20])}." if words else ""
