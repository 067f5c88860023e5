"""Which seats of the fleet this node holds: renewed, looked at, claimed and released by the ledger."""
