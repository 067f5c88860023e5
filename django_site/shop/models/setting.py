"""A setting that the project keeps in its database."""

from django.db import models


class Setting(models.Model):
    """A named value."""

    name = models.SlugField(unique=True)
    value = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def read(cls, name: str, default: str) -> str:
        """Return the value of ``name``, or ``default`` where it is not set."""
        value = cls.objects.filter(name=name).values_list("value", flat=True).first()
        return default if value is None else value
