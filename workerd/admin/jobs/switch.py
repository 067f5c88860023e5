"""The switch that turns a job on and off in the list: one button, one column written, nothing else of the row."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.admin.markup import markup
from workerd.models import Job
from workerd.targets import find_row_problems


def switch(job: Job, url: str, *, may_change: bool) -> SafeString:
    """Return a button that says what is and does the other; the words alone for one who may not."""
    words = _("on") if job.enabled else _("off")
    if not may_change:
        return markup('<span class="workerd-line">{}</span>', words)
    return markup(
        '<button type="submit" class="workerd-switch" role="switch" aria-checked="{}" formaction="{}" '
        'name="enabled" value="{}" aria-label="{}" title="{}"><span>{}</span></button>',
        "true" if job.enabled else "false",
        url,
        0 if job.enabled else 1,
        _("%(job)s enabled") % {"job": job.name},
        _("Turn off") if job.enabled else _("Turn on"),
        words,
    )


def turn(request: HttpRequest, job: Job, alias: str, *, on: bool) -> bool:
    """Write the one column and say what follows; False where the job cannot be on. The caller has checked the right."""
    if on and (problems := find_row_problems(job.target, job.command, job.kwargs)):
        sentences = " ".join(sentence for found in problems.values() for sentence in found)
        messages.error(request, _("The job “%(job)s” stays off. %(why)s") % {"job": job.name, "why": sentences})
        return False
    job.enabled = on
    job.save(using=alias, update_fields=["enabled"])
    words = (
        _("The job “%(job)s” is on: it will be started.")
        if on
        else _("The job “%(job)s” is off: it will be stopped gracefully.")
    )
    messages.success(request, words % {"job": job.name})
    return True
