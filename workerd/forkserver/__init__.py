"""The forkserver: loads the project once, closes everything, and then only gives birth on request."""
