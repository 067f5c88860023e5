"""The form of a job: it reads durations as people write them, and saves nothing that the project does not allow."""

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workerd.admin.words import drop_foreign_words
from workerd.command_secrets import masked_command
from workerd.conf import SettingsError, get_settings
from workerd.fleet.hints import read_labels
from workerd.job_rules import FIELDS, find_faults
from workerd.job_rules.ranges import DURATIONS
from workerd.job_rules.start_order import Place, find_followers_fault, find_unknown_names
from workerd.job_rules.stored_json import JSON_COLUMNS
from workerd.models import Job
from workerd.models.clock import read_seconds
from workerd.models.job import ORDER
from workerd.wire.spec import LATER_CHOICES, LATER_FIELDS, with_defaults

from .fields import DurationField, StoredJsonField
from .masking import NothingStoredError, masked, restored, restored_command
from .origin import mark_fields
from .schedule_widget import ScheduleWidget, TimeZoneWidget
from .schedule_words import ScheduleWords, put_into_words
from .silence import describe_silence
from .target_widget import TargetWidget

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm

_MASKED = frozenset({"kwargs", "environment"})
"""The JSON that may hold secrets."""


MOST_LABELS = 50
"""The most labels that are named beneath the box for them."""


def _json_box(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField workerd-kwargs", "spellcheck": "false"})


class JobForm(JobModelForm):
    """Puts each error beside its field; shows masks in place of the secrets of a row."""

    stored: Job | None = None
    """The row whose secrets a saved mask stands for; the admin sets it where a job is saved as a new one."""
    schedule_url = ""
    alias = DEFAULT_DB_ALIAS
    """Where the form's script asks what a schedule means; the admin sets it."""
    may_view_output = False
    """Whether the user reads in an error what the project's code has raised; the admin sets it."""

    class Meta:
        model = Job
        fields = "__all__"
        field_classes = {
            **dict.fromkeys(DURATIONS, DurationField),
            **dict.fromkeys(JSON_COLUMNS, StoredJsonField),
            "movable": forms.BooleanField,
        }
        widgets = {
            "target": TargetWidget(),
            **{name: _json_box(rows=3 if name == "kwargs" else 2) for name in JSON_COLUMNS},
            "notes": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "command": forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"}),
            "schedule": ScheduleWidget(attrs={"class": "vTextField", "spellcheck": "false", "autocomplete": "off"}),
            "time_zone": TimeZoneWidget(attrs={"class": "vTextField", "spellcheck": "false"}),
            "where": forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false", "autocomplete": "off"}),
            "movable": forms.CheckboxInput(),
            "labels": forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false", "autocomplete": "off"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.stored = copy.copy(self.instance)  # as it is saved: the form's values are put on the instance
            self._show_silence()
        for name in _MASKED.intersection(self.initial):
            self.initial[name] = masked(self.initial[name])
        if "command" in self.initial:
            self.initial["command"] = masked_command(self.initial["command"])
        if "command" in self.fields:
            self.fields["command"].help_text = _command_help()
        for name, field in self.fields.items():
            field.show_hidden_initial = False  # the callable default of kwargs has Django print the value twice
            if isinstance(field, StoredJsonField):
                field.column = name
            elif name in FIELDS:  # JSON is judged once its masks are filled
                field.clean = partial(_parse_and_judge, name, field)  # type: ignore[method-assign]
        self._show_defaults()
        if "schedule" in self.fields:
            self._show_schedule()
        if "where" in self.fields:
            self._show_labels()
        mark_fields(self, self.instance)

    def _show_defaults(self) -> None:
        """Show the default of what an earlier release has left null; to choose nothing is no choice."""
        self.initial.update(with_defaults({name: self.initial.get(name) for name in LATER_FIELDS}))
        for name in LATER_CHOICES:
            if name in self.fields:
                choices: Any = self.fields[name]
                choices.choices = [choice for choice in choices.choices if choice[0]]

    def _show_labels(self) -> None:
        """Say beneath the box which labels there are to ask for."""
        if known := sorted(
            {f"{name}={value}" for labels in read_labels(self.alias).values() for name, value in labels.items()}
        ):
            words = _("The nodes have: %s.") % (
                ", ".join(known[:MOST_LABELS]) + (" …" if len(known) > MOST_LABELS else "")
            )
            self.fields["where"].help_text += f" {words}"

    def _show_schedule(self) -> None:
        """Say beneath the box what its text means; of a form that is shown again, the errors say what is wrong."""
        text, zone, spread = (self[name].value() for name in ("schedule", "time_zone", "spread"))
        about = put_into_words(text, zone, read_seconds(self.alias), spread=spread)
        widget: Any = self.fields["schedule"].widget
        widget.url, widget.about = self.schedule_url, about if not (about.fault and self.is_bound) else ScheduleWords()
        if about.text:
            self.fields["max_age"].label = _("Longest run")
            self.fields["max_age"].help_text = _(
                "A run that takes longer is ended, exact to the second, and counts as a failure. Empty sets no limit."
            )
        else:
            self.fields["max_age"].help_text += f" {_('With a schedule it is the longest run, exact.')}"

    def _show_silence(self) -> None:
        if "heartbeat_timeout" in self.fields:
            silence = describe_silence(self.instance, get_settings().database)
            self.fields["heartbeat_timeout"].help_text += f" {silence}".rstrip()

    def add_error(self, field: str | None, error: Any) -> None:
        """Show an error as far as the user may read it."""
        if isinstance(error, ValidationError) and not self.may_view_output:
            drop_foreign_words(error)
        super().add_error(field, error)

    def clean_command(self) -> str:
        """Put the stored line where it was saved with its masks."""
        try:
            return restored_command(self.cleaned_data["command"], self.stored.command if self.stored else "")
        except NothingStoredError as error:
            message = _("The command was changed: write the secrets in it anew.")
            raise ValidationError(message, code="mask") from error

    def clean(self) -> None:
        """Refuse a schedule without a time to come, where it is not stored so already, and an order that misleads."""
        super().clean()
        cleaned = self.cleaned_data
        self._judge_order(cleaned)
        times_changed = {"schedule", "time_zone"}.intersection(self.changed_data)
        if (times_changed or self.instance._state.adding) and "schedule" in cleaned and "time_zone" in cleaned:
            about = put_into_words(cleaned["schedule"], cleaned["time_zone"], read_seconds(self.alias))
            if about.fault:
                self.add_error("schedule", ValidationError(about.fault, code="past"))

    def _judge_order(self, cleaned: dict[str, Any]) -> None:
        """Refuse in what was changed of the order of start what may stand in a row, but is likely a mistake."""
        changed = {"schedule", "starts_after"}.intersection(self.changed_data)
        if not changed or not cleaned.keys() >= set(ORDER):
            return
        name = cleaned["name"]
        places = {**self.instance.read_others(), name: Place.of(cleaned["schedule"], cleaned["starts_after"])}
        if "starts_after" in changed and (unknown := find_unknown_names(name, places)):
            self.add_error("starts_after", ValidationError(unknown, code="unknown"))
        if "schedule" in changed and (fault := find_followers_fault(name, places)):
            self.add_error("schedule", ValidationError(fault, code="followed"))

    def clean_kwargs(self) -> Any:
        return self._restored("kwargs")

    def clean_environment(self) -> Any:
        return self._restored("environment")

    def _restored(self, name: str) -> Any:
        """Return the field's value with the stored values where their masks were saved."""
        try:
            return restored(self.cleaned_data[name], getattr(self.stored, name, None))
        except NothingStoredError as error:
            message = _("Nothing is stored for “%(path)s”: write its value.")
            if error.in_list:
                message = _("The list around “%(path)s” was changed: write the secrets in it anew.")
            raise ValidationError(message, code="mask", params={"path": error.path}) from error


def _parse_and_judge(name: str, field: forms.Field, typed: Any) -> Any:
    """Return what was typed as a value of the row. Raises ValidationError with the sentence of the row's rules."""
    try:
        value = field.to_python(typed)
    except ValidationError:
        if not isinstance(field, forms.IntegerField):
            raise
        value = typed  # no number at all: the rules say which numbers there may be
    if name in LATER_FIELDS and value in field.empty_values:
        value = with_defaults({name: None})[name]
    if faults := find_faults({name: value}):
        raise ValidationError([fault.sentence for fault in faults])
    return value


def _command_help() -> str:
    """Return what the project allows, as a sentence."""
    try:
        commands = get_settings().commands
    except SettingsError:
        commands = ()
    if not commands:
        return gettext('A management command with its arguments; the project allows none (WORKERD["COMMANDS"]).')
    words = gettext("Instead of a target: a management command with its arguments. The project allows: %s.")
    numbers = gettext("In each process {index} is its number, from 0, and {processes} how many there are.")
    return f"{words % ', '.join(commands)} {numbers}"
