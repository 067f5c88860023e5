"""One side of a movement."""

from django.db import models

from shop.seals import seal

from .account import Account


class Entry(models.Model):
    """Goods into an account or out of it; the two entries of a movement sum to zero."""

    movement = models.UUIDField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    quantity = models.IntegerField()
    nonce = models.CharField(max_length=16, editable=False)
    booked = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [models.UniqueConstraint(fields=["movement", "account"], name="shop_entry_one_a_side")]

    def __str__(self) -> str:
        return f"{self.quantity:+} of {self.movement}"

    @property
    def is_sealed(self) -> bool:
        """Whether the row is as it was written: its nonce is a hash of its values."""
        return self.nonce == seal(self.movement, self.account_id, self.quantity)

    def sealed(self) -> "Entry":
        """Set the nonce and return the entry."""
        self.nonce = seal(self.movement, self.account_id, self.quantity)
        return self
