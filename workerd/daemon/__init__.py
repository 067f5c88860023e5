"""The daemon: one thread around one selector that supervises every child. Never imports Django, never blocks."""
