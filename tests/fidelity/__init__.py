"""Real commands of published packages, each run plainly and under workerd, and compared.

`case` says what a case is, `cases/` has one file a package, `site/` is the Django project that they run in, `stage`
runs a case, `observation` is what was seen, `comparison` compares, `table` writes it into docs/moving.md.
"""
