"""Slots: their lives, what each effect does, what children say, how they end, and what the watchdog finds."""
