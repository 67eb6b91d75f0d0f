"""One chain: its profile, its nodes, its blocks and logs."""
