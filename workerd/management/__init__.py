"""``manage.py workerd``: the command parses its arguments, a verb does the work, an exit code tells the result."""
