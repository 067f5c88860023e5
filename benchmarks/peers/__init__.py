"""How soon workerd and its peers replace a killed process of one Django project, and what each process costs.

``python -m benchmarks.peers [--kills N] [--peers NAME,…] [--json] [DATABASE_URL]``; SQLite without a URL. Needs
supervisor, circus, gunicorn and celery for the peers of these names; one that is not installed is left out, and said.
"""
