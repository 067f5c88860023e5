"""Marks that the bad jobs leave in the database."""

from django.db import models


class Mark(models.Model):
    """What a job did, and in which process."""

    job = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    text = models.CharField(max_length=200, blank=True)
    made = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.job} ({self.pid}): {self.text}"
