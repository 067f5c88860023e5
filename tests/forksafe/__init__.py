"""Fork safety, on every backend: each story is played by a process of its own, in a project without workerd in it."""
