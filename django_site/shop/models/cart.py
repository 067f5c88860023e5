"""What customers leave behind."""

from django.db import models
from django.utils import timezone


class Cart(models.Model):
    """A cart that nobody may come back for."""

    touched = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"cart {self.pk}"
