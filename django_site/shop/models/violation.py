"""What must never be there."""

from django.db import models


class Violation(models.Model):
    """A row that a process read and had not asked for, as that process tells it."""

    text = models.TextField()
    pid = models.PositiveIntegerField()
    seen = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text
