"""A function that knows nothing of workerd: ``WORKERD["TARGETS"]`` allows it by name, and it is called bare."""

import logging
import time

from .models import Account

logger = logging.getLogger(__name__)


def count_stock(pause: float = 15.0) -> None:
    """Log what each place holds, for ever; a stop arrives as KeyboardInterrupt, as Ctrl-C would."""
    while True:
        for name, balance in Account.objects.order_by("name").values_list("name", "balance"):
            logger.info("%s holds %s", name, balance)
        time.sleep(pause)
