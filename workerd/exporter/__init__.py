"""The exporter: a process that sends the log and the runs by OTLP; nothing else depends on it."""
