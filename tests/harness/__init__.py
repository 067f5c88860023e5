"""What the tests stand on: databases, a project and its daemon, chaos, a browser, waits with a deadline."""
