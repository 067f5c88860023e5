"""A small shop whose background jobs do real database work, and some that go wrong."""
