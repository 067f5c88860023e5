"""The node as a whole: orders, reloads, shutdown, status, STATE_DIR, the ledger and the observer."""
