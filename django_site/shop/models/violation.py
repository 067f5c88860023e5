"""A reading that went wrong."""

from django.db import models


class Violation(models.Model):
    """A row that a process read and had not asked for, in that process's words."""

    text = models.TextField()
    pid = models.PositiveIntegerField()
    seen = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text
