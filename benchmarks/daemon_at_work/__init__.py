"""What benchmarks of a running daemon share: a project on SQLite, the daemon on it, the jobs that it runs."""
