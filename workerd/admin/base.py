"""What every admin of workerd has in common: its rows live in ``WORKERD["DATABASE"]``, whatever the router says."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from workerd.conf import get_settings

Row = TypeVar("Row", bound=models.Model)

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin
else:

    class AnyModelAdmin(admin.ModelAdmin):
        """Generic for the type checker; Django's own class is so with a monkey patch only."""

        def __class_getitem__(cls, _item: Any) -> Any:
            return cls


class WorkerdAdmin(AnyModelAdmin[Row]):
    """Reads and writes one alias."""

    @property
    def alias(self) -> str:
        """The database that the daemon uses."""
        return get_settings().database

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Row]:
        """Return the rows of that database."""
        return super().get_queryset(request).using(self.alias)

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: bool) -> None:
        """Save there."""
        obj.save(using=self.alias)

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        """Delete there."""
        obj.delete(using=self.alias)
