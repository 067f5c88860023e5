"""Real commands of published packages, each run plainly and under workerd, and compared.

`case` says what a case is, `cases/` has one file a package, `site/` is the Django project that they run in, in the
`environment` of their packages. `run` runs a case on a `stage`, `observation` is what was seen (`output` and `remains`
among it), `comparison` compares, and `table` writes it into docs/compared.md.
"""
