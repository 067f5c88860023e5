"""The form of a job: it reads durations as people write them, and saves nothing that the project does not allow."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workerd.admin.words import drop_foreign_words
from workerd.command_secrets import masked_command
from workerd.conf import SettingsError, get_settings
from workerd.job_rules import FIELDS, find_faults
from workerd.job_rules.ranges import DURATIONS
from workerd.models import Job

from .fields import DurationField, KwargsField
from .masking import NothingStoredError, masked, restored, restored_command
from .silence import describe_silence
from .target_widget import TargetWidget

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm


class JobForm(JobModelForm):
    """Puts each error beside its field; shows masks in place of secrets among the arguments."""

    stored_kwargs: Any = None
    """The arguments that a saved mask stands for; the admin sets them where a job is saved as a new one."""
    stored_command = ""
    """The same for the options of a command."""
    may_view_output = False
    """Whether the user reads in an error what the project's code has raised; the admin sets it."""

    class Meta:
        model = Job
        fields = "__all__"
        field_classes = {**dict.fromkeys(DURATIONS, DurationField), "kwargs": KwargsField}
        widgets = {
            "target": TargetWidget(),
            "kwargs": forms.Textarea(
                attrs={"rows": 3, "class": "vLargeTextField workerd-kwargs", "spellcheck": "false"}
            ),
            "notes": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "command": forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.stored_kwargs, self.stored_command = self.instance.kwargs, self.instance.command
            self._show_silence()
        if "kwargs" in self.initial:
            self.initial["kwargs"] = masked(self.initial["kwargs"])
        if "command" in self.initial:
            self.initial["command"] = masked_command(self.initial["command"])
        if "command" in self.fields:
            self.fields["command"].help_text = _command_help()
        for name, field in self.fields.items():
            field.show_hidden_initial = False  # the callable default of kwargs has Django print the value twice
            if name in FIELDS and not isinstance(field, KwargsField):  # kwargs are judged once their masks are filled
                field.clean = partial(_parse_and_judge, name, field)  # type: ignore[method-assign]

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
            return restored_command(self.cleaned_data["command"], self.stored_command)
        except NothingStoredError as error:
            message = _("The command was changed: write the secrets in it anew.")
            raise ValidationError(message, code="mask") from error

    def clean_kwargs(self) -> Any:
        """Put the stored values where their masks were saved."""
        try:
            return restored(self.cleaned_data["kwargs"], self.stored_kwargs)
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
    return words % ", ".join(commands)
