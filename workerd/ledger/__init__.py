"""The ledger: the only process of workerd's own with a database connection. Reads the job rows, writes the history."""
