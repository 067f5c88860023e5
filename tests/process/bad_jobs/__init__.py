"""A Django app whose jobs misbehave on purpose."""
