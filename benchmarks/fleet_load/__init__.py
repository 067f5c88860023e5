"""What a fleet of many nodes costs one PostgreSQL."""
