"""HTTP health and metrics: a child of its own, which may hang or die without harm to anything else."""
