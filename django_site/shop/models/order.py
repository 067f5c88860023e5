"""A customer's order."""

from django.db import connections, models, transaction
from django.utils import timezone

from shop import movements

from .article import Article


class OrderQuerySet(models.QuerySet["Order"]):
    """Finds and locks orders."""

    def ready(self, warehouse: str) -> "OrderQuerySet":
        """Return the orders that ``warehouse`` has still to ship, oldest first."""
        return self.filter(warehouse=warehouse, shipped=None).order_by("pk")

    def locked(self) -> "OrderQuerySet":
        """Lock the selected orders; skip those that another process has locked, where the database can."""
        can_skip = connections[self.db].features.has_select_for_update_skip_locked
        return self.select_for_update(skip_locked=can_skip)


class Order(models.Model):
    """Some pieces of one article, from one warehouse."""

    article = models.ForeignKey(Article, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    warehouse = models.SlugField(default="main")
    placed = models.DateTimeField(default=timezone.now)
    shipped = models.DateTimeField(null=True, blank=True, db_index=True)
    movement = models.UUIDField(null=True, blank=True, unique=True)

    objects = OrderQuerySet.as_manager()

    def __str__(self) -> str:
        return f"order {self.pk}"

    def ship(self) -> bool:
        """Book the goods out to the customers, once; return False where another process has done so or is doing so."""
        with transaction.atomic():
            order = Order.objects.locked().filter(pk=self.pk, shipped=None).first()
            if order is None:
                return False
            movements.expect(order.pk == self.pk, f"asked for order {self.pk} and read order {order.pk}")
            order.movement = movements.move(order.quantity, order.warehouse, movements.CUSTOMERS)
            order.shipped = timezone.now()
            order.save(update_fields=["movement", "shipped"])
        return True
