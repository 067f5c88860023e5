"""A real systemd for the tests: PID 1 of namespaces of its own."""
