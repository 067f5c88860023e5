"""What workerd records is history: the admin shows it, and changes none of it."""

from typing import Any, TypeVar

from django.db import models

from .base import WorkerdAdmin

Row = TypeVar("Row", bound=models.Model)


def _never(*_args: Any, **_kwargs: Any) -> bool:
    return False


class ReadOnlyAdmin(WorkerdAdmin[Row]):
    """No row is added, changed or deleted here; the view permission decides who reads."""

    actions = None
    show_full_result_count = False
    has_add_permission = _never
    has_change_permission = _never
    has_delete_permission = _never
    change_list_template = "admin/workerd/list.html"

    class Media:
        css = {"all": ("workerd/workerd.css",)}
