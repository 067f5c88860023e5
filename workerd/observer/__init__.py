"""The observer: a process that serves health and metrics over HTTP; nothing else depends on it."""
