"""How long a place in the fleet is empty: at a graceful stop, at a node's death, at a restart after kill -9."""
