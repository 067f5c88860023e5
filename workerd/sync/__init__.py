"""Brings job rows in step with the definitions of the code, and loses no edit of the admin."""
