"""The forkserver: loads the project once, closes every connection, and then forks children on request."""
