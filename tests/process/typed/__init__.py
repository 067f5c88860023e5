"""The command lines that the README, the docs and the comments of deploy/ have people type, and where each is run."""
