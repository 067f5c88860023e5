"""One file a verb of ``manage.py workerd``."""
