"""Likely mistakes in the rows of task engines' consumers; the adapters are in ``workerd.contrib``."""
