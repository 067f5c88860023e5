"""A cart that a customer left."""

from django.db import models
from django.utils import timezone


class Cart(models.Model):
    """A cart with the time when it was last used."""

    touched = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"cart {self.pk}"
