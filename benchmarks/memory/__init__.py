"""What processes hold of their own."""
