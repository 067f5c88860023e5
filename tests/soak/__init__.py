"""The soak's Django app: every child reports its run and claims its slot; one job does whatever it is told to."""
