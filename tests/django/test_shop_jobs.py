"""The shop's own tests of its jobs, on each database: ``manage.py test shop`` runs them as any project would."""

from shop.tests import CartTests, MishapTests, ShopTests, TimeTests

__all__ = ["CartTests", "MishapTests", "ShopTests", "TimeTests"]
