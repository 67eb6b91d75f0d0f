"""Protocol adapters: they build calls and decode results, and never send anything."""
