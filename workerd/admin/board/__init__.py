"""The board: one page that says how the whole fleet is, on a wall, on a desk and on a phone."""
