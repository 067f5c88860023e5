"""An article that the shop sells."""

from django.db import models


class Article(models.Model):
    """A thing with a price, which the price feed keeps moving."""

    name = models.SlugField(unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    priced = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
