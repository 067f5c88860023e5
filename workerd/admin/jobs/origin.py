"""A job's pages say here which code it comes from: the set's name, and where the row says something else."""

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workerd.models import Job
from workerd.sync.marks import Mark, find_marks
from workerd.sync.rows import row_of
from workerd.sync.words import shown


def origin_badge(job: Job) -> SafeString:
    """Return “from code” for a row that comes from there, and whether it has been changed since."""
    if not job.source:
        return SafeString("")
    marks = find_marks(row_of(job))
    words = _("from code, changed here") if marks else _("from code")
    title = _("The definitions of “%s”") % job.source
    differing = "".join(f"\n{_label(job, name)}: {_in_words(name, mark)}" for name, mark in marks.items())
    return format_html(' <span class="workerd-origin" title="{}{}">{}</span>', title, differing, words)


def origin_facts(job: Job) -> list[tuple[str, str]]:
    """Return terms and values for the job's page; none for a row that was made in the admin."""
    if not job.source:
        return []
    facts = [(_("Comes from"), _("the definitions of “%s”, in code") % job.source)]
    marks = find_marks(row_of(job))
    return facts + [(_label(job, name), _in_words(name, mark)) for name, mark in marks.items()]


def mark_fields(form: BaseForm, job: Job) -> None:
    """Say beneath each field of the form that differs what the code says."""
    if not job.source:
        return
    for name, mark in find_marks(row_of(job)).items():
        if name in form.fields:
            field, words = form.fields[name], _in_words(name, mark)
            field.help_text = format_html('{} <strong class="workerd-said">{}</strong>', field.help_text, words)


def warn_of_drift(request: HttpRequest, stored: Job | None, job: Job) -> None:
    """Tell whoever has saved a row from code what sync will make of it."""
    if not job.source:
        return
    if stored is not None and stored.name != job.name:
        words = _("“%(old)s” comes from code: sync will make it again, and switch “%(new)s” off.")
        messages.warning(request, words % {"old": stored.name, "new": job.name})
    open_marks = [name for name, mark in find_marks(row_of(job)).items() if not mark.is_accepted]
    if open_marks:
        fields = ", ".join(_label(job, name) for name in open_marks)
        words = _("The job comes from the definitions of “%(source)s”. Sync will report this as drift: %(fields)s.")
        messages.warning(request, words % {"source": job.source, "fields": fields})


def _in_words(name: str, mark: Mark) -> str:
    words = _("The code says %s; the difference is accepted.") if mark.is_accepted else _("The code says %s.")
    return words % shown(name, mark.said)


def _label(job: Job, name: str) -> str:
    return str(job._meta.get_field(name).verbose_name)  # type: ignore[union-attr]  # a field of our own has one
