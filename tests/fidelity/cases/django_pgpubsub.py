"""django-pgpubsub: a process that listens to PostgreSQL's notifications."""

from tests.fidelity.case import Case

CASE = Case(
    "django-pgpubsub",
    "listen",
    apps=("pgpubsub",),
    needs=frozenset({"postgres"}),
)
