"""``manage.py workerd``: the command parses, a verb does, an exit code tells."""
