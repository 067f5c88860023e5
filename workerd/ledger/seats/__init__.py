"""The seats of the fleet: the ledger renews, looks at, claims and releases them for this node."""
