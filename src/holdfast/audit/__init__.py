"""Who did what to a deal: one hash-chained, append-only record per deal."""
