"""Real daemons on nodes of their own: network namespaces on one database server."""
