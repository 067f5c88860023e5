"""The fleet, as its rows show it: which node has which seat, why one is free, and what would follow from a drain."""
