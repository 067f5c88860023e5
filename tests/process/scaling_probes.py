"""What the tests' own site counts for its scalers: the marks that wait under a name. A daemon has it by PRELOAD."""

from workerd.contrib.depths import probe


@probe
def marks(name: str) -> int:
    """Count the marks of this name."""
    from .bad_jobs.models import Mark

    return Mark.objects.filter(job=name).count()
