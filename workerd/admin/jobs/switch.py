"""The switch that turns a job on and off in the list: it writes the one column and nothing else of the row."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.admin import permissions
from workerd.models import Job
from workerd.refusals import public_sentence
from workerd.targets import find_row_problems


def switch_cell(job: Job, *, may_change: bool) -> SafeString:
    """Return a button that shows whether the job is on, and turns it; only the word for a user who may not."""
    words = _("on") if job.enabled else _("off")
    if not may_change:
        return format_html('<span class="workerd-line">{}</span>', words)
    return format_html(
        '<button type="submit" class="workerd-switch" role="switch" aria-checked="{}" formaction="{}/switch/" '
        'name="enabled" value="{}" aria-label="{}" title="{}"><span>{}</span></button>',
        "true" if job.enabled else "false",
        job.pk,  # an address relative to the list's, as in JobListAdmin.job
        0 if job.enabled else 1,
        _("%(job)s enabled") % {"job": job.name},
        _("Turn off") if job.enabled else _("Turn on"),
        words,
    )


def set_enabled(request: HttpRequest, job: Job, alias: str, *, enabled: bool) -> bool:
    """Write the column and tell the user what follows; return False where the job cannot run and so stays off.

    The caller has checked that the user may change the job.
    """
    if enabled and (problems := find_row_problems(job.to_spec())):
        said = dict.fromkeys(sentence for sentences in problems.values() for sentence in sentences)
        reasons = " ".join(said if permissions.may_view_output(request) else map(public_sentence, said))
        messages.error(request, _("The job “%(job)s” stays off. %(reasons)s") % {"job": job.name, "reasons": reasons})
        return False
    job.enabled = enabled
    job.save(using=alias, update_fields=["enabled"])
    if not enabled:
        words = _("The job “%(job)s” is off: it will be stopped gracefully.")
    elif job.schedule:
        words = _("The job “%(job)s” is on: it runs at the next time of its schedule.")
    else:
        words = _("The job “%(job)s” is on: it will be started.")
    messages.success(request, words % {"job": job.name})
    return True
