"""What the desk's limits and trading states are kept as."""
