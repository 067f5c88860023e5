"""A Django app with one job for each way in which a child can go wrong."""
