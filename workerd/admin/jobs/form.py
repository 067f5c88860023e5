"""The form of a job: it reads durations as people write them, and saves nothing that the project does not allow."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workerd.conf import SettingsError, get_settings
from workerd.models import Job
from workerd.models.job import DURATION_FIELDS
from workerd.models.ranges import RANGES
from workerd.targets import find_row_problems

from .fields import DurationField, KwargsField
from .masking import NothingStoredError, masked, restored
from .target_widget import TargetWidget

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm

_WHAT_RUNS = ("target", "command", "kwargs")


class JobForm(JobModelForm):
    """Puts each error beside its field; shows masks in place of secrets among the arguments."""

    stored_kwargs: Any = None
    """The arguments that a saved mask stands for; the admin sets them where a job is saved as a new one."""

    class Meta:
        model = Job
        fields = "__all__"
        field_classes = {**dict.fromkeys(DURATION_FIELDS, DurationField), "kwargs": KwargsField}
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
            self.stored_kwargs = self.instance.kwargs
        if "kwargs" in self.initial:
            self.initial["kwargs"] = masked(self.initial["kwargs"])
        if "command" in self.fields:
            self.fields["command"].help_text = _command_help()
        for name, field in self.fields.items():
            field.show_hidden_initial = False  # the callable default of kwargs has Django print the value twice
            if isinstance(field, DurationField):
                field.range = RANGES[name]

    def clean_kwargs(self) -> Any:
        """Put the stored values where their masks were saved."""
        try:
            return restored(self.cleaned_data["kwargs"], self.stored_kwargs)
        except NothingStoredError as error:
            message = _("Nothing is stored for “%(path)s”: write its value.")
            raise ValidationError(message, code="mask", params={"path": error.path}) from error

    def clean(self) -> dict[str, Any] | None:
        """Say what two fields contradict beside the one to change."""
        values = super().clean() or self.cleaned_data
        first, longest = values.get("backoff_initial"), values.get("backoff_max")
        if first is not None and longest is not None and longest < first:
            self.add_error("backoff_max", _("The longest delay must not be shorter than the first."))
        grace, timeout = values.get("start_grace"), values.get("start_timeout")
        if grace is not None and timeout is not None and timeout <= grace and not values.get("signals_ready"):
            message = _("The start timeout must be longer than “running after”, or it never counts as running.")
            self.add_error("start_timeout", message)
        return values

    def _post_clean(self) -> None:
        """Look at the target last, when the model has found nothing wrong with its shape."""
        super()._post_clean()  # type: ignore[misc]  # Django's own hook for this; the stubs leave it out
        if self._must_run() and not any(name in self.errors for name in _WHAT_RUNS):
            for name, sentences in find_row_problems(*(getattr(self.instance, name) for name in _WHAT_RUNS)).items():
                self.add_error(name if name in self.fields else None, sentences)

    def _update_errors(self, errors: ValidationError) -> None:
        """Say of a target or command that was refused already no more than that."""
        if "target" in self.errors or "command" in self.errors:
            for name in ("target", "command"):
                errors.error_dict.pop(name, None)
        super()._update_errors(errors)  # type: ignore[misc]  # as above

    def _must_run(self) -> bool:
        """Let a job whose target broke be switched off, or annotated while it is off."""
        return self.instance.enabled or any(name in self.changed_data for name in _WHAT_RUNS)


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
