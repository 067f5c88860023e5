"""Chooses which words of a row a user may read: workerd's own, or also those of jobs and of the project's code."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from workerd.models import Job, Node, Operation, Slot
from workerd.refusals import public_sentence


def reason_of(slot: Slot, *, may_view_output: bool) -> str:
    return readable(slot.reason, slot.public_reason, may_view_output)


def problem_of(job: Job, *, may_view_output: bool) -> str:
    return readable(job.problem, job.public_problem, may_view_output)


def result_of(order: Operation, *, may_view_output: bool) -> str:
    return readable(order.result, order.public_result, may_view_output)


def halt_of(node: Node, *, may_view_output: bool) -> str:
    return readable(node.halt or "", node.public_halt, may_view_output)


def drop_foreign_words(error: ValidationError) -> None:
    """Take from the sentences of ``error`` what an exception of the project's code has said."""
    fields = error.error_dict.values() if hasattr(error, "error_dict") else [error.error_list]
    for leaf in (leaf for leaves in fields for leaf in leaves):
        leaf.message = public_sentence(leaf.message)  # type: ignore[arg-type]  # or a lazy text of Django's


def readable(whole: str, public: str | None, may_view_output: bool) -> str:
    """Return the whole, or what of it stands in workerd's own words."""
    if may_view_output or not whole:
        return whole
    return public or _("only users who may view output can read this")
