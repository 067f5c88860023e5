"""One program on its way to a job: what its directives have come to so far."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from workerd.job_rules import find_faults, join_sentences
from workerd.job_rules.written import filled, find_written_faults
from workerd.url_passwords import holds_password

from .adopted import Adopted, Refused
from .context import Context
from .names import slug
from .not_adopted import NotAdoptedError
from .templates import refuse_template


class Draft:
    """Collects values, comments and reasons against the adoption; ``finish`` decides."""

    def __init__(self, name: str, place: str, base: str = "") -> None:
        self.name = name
        self.place = place
        self._directory = base  # from which a path counts that is not absolute; "" where nobody knows
        self.values: dict[str, Any] = {}
        self._comments: list[str] = []
        self._dropped: dict[str, list[str]] = {}
        self._reasons: list[str] = []

    def say(self, sentence: str) -> None:
        """Have a comment stand above the job's table."""
        self._comments.append(sentence)

    def drop(self, what: str, why: str) -> None:
        """Say that something is not carried over; what has one reason stands in one comment."""
        self._dropped.setdefault(why, []).append(what)

    def block(self, reason: str) -> None:
        """Refuse the program; all reasons are told together."""
        self._reasons.append(reason)

    def set_variable(self, name: str, value: str, context: Context) -> None:
        """Add a variable to the job's environment, or say why not; a secret's value stays in the file."""
        if name in _OWN_VARIABLES:
            self.drop(name, _OWN_VARIABLES[name])
            if name == "DJANGO_SETTINGS_MODULE":
                self.compare_settings(value, context)
        elif faults := find_faults({"environment": {name: value}}):
            self.drop(name, join_sentences(faults))
        elif context.is_secret(name) or holds_password(value):
            self._environment()[name] = {"$env": name}
            self.say(
                f'{name} looks like a secret: set it in the service\'s environment, and allow it in WORKERD["ENV"].'
            )
        else:
            self._environment()[name] = value

    def compare_settings(self, module: str, context: Context) -> None:
        """Say where the program ran with other settings than the service has."""
        if context.settings_module and module != context.settings_module:
            self.say(f"It ran with the settings {module}; the service has {context.settings_module}.")

    def set_directory(self, directory: str) -> None:
        """Set the working directory; one that depends on where the daemon was started is only told."""
        whole = directory if directory.startswith(("~", "/")) else f"{self._directory}/{directory}"
        if whole.startswith("/") and (self._directory or whole == directory):
            self.values["working_directory"] = self._directory = os.path.normpath(whole)
        else:
            self.drop(f"directory {directory}", "Write it as an absolute path into working_directory, if it matters.")

    def set_overlap(self, overlap: str, what: str) -> None:
        """Say what happens at a due time while the last run goes on; without times there is one process anyway."""
        if "schedule" in self.values:
            self.values["overlap"] = overlap
        else:
            self.drop(what, "A job without a schedule has as many processes as its row says, and no more.")

    def finish(self) -> Adopted | Refused:
        """Return the job, or why there is none. The values of a job hold to the rules of a row."""
        self._refuse_templates()
        reasons = list(dict.fromkeys(self._reasons))
        name = slug(self.name)
        if not reasons and (faults := find_written_faults(name, filled(self.values))):
            reasons = [join_sentences(faults)]
        if reasons:
            return Refused(self.name, self.place, " ".join(reasons))
        if name != self.name:
            self.say(f"Its program is called {self.name}.")
        return Adopted(name, self.values, [*self._comments, *self._told_drops()], self.place)

    def _refuse_templates(self) -> None:
        texts = (text for value in self.values.values() for text in _texts(value))
        for text in (self.name, *texts):
            try:
                refuse_template(text)
            except NotAdoptedError as error:
                self.block(str(error))

    def _environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.values.setdefault("environment", {})
        return environment

    def _told_drops(self) -> Iterable[str]:
        return (f"Not carried over: {', '.join(dict.fromkeys(names))}. {why}" for why, names in self._dropped.items())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in _texts(part))
    elif isinstance(value, str):
        yield value


_OWN_VARIABLES = {
    "DJANGO_SETTINGS_MODULE": "The service loads the project once, with its own settings.",
    "PYTHONUNBUFFERED": "Each line of a job is logged at once.",
}
