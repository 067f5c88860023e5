"""A Django app whose jobs leave evidence outside of the database: who ran as what, and how it was to end."""
