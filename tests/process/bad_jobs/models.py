"""Marks that victims leave in the database."""

from django.db import models


class Mark(models.Model):
    """Something that a victim did, and which process it was."""

    victim = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    text = models.CharField(max_length=200, blank=True)
    made = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.victim} ({self.pid}): {self.text}"
