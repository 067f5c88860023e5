"""A plain function as a job: ``WORKERD["TARGETS"]`` allows its name, and workerd calls it without a context."""

import logging
import time

from .models import Account

logger = logging.getLogger(__name__)


def count_stock(pause: float = 15.0) -> None:
    """Log what each place holds, again and again; a stop raises KeyboardInterrupt, as Ctrl-C does."""
    while True:
        for name, balance in Account.objects.order_by("name").values_list("name", "balance"):
            logger.info("%s holds %s", name, balance)
        time.sleep(pause)
