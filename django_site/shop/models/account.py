"""The places between which goods are booked."""

from django.db import models

from shop.seals import seal


class Account(models.Model):
    """A place in the books: the suppliers, a warehouse, the customers. All balances together are zero."""

    name = models.SlugField(unique=True)
    balance = models.BigIntegerField(default=0)
    nonce = models.CharField(max_length=16, editable=False)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def open(cls, *names: str) -> None:
        """Create those accounts of ``names`` that do not exist yet."""
        for name in names:
            cls.objects.get_or_create(name=name, defaults={"nonce": seal(name)})
