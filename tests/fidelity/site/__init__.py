"""The Django project that the cases run in; FIDELITY_CASE in the environment says which."""
