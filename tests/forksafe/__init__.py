"""Fork safety, on every backend: each script runs in a process of its own, in a project without workerd."""
