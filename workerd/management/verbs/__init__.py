"""The verbs of ``manage.py workerd``, one file for each; the first line of a file's docstring is the verb's help."""
