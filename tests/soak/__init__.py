"""The soak's Django app: every child testifies to its run and claims its slot; one job does whatever it is told to."""
