"""Resources over time, on the pages of jobs and runs: curves, tables, and words for what grows."""
