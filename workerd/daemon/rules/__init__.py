"""Decisions only: what follows from a fact, an exit or an edit. Pure code, without the operating system or the loop."""
