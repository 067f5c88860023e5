"""The parts of fork_proof.py: a cell of its table, the strategies, the counters, the page."""
