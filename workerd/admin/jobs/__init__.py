"""Jobs in the admin: the list, a job's page, its form, and what an operator may do with it."""
