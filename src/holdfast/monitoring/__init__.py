"""Watches what happens around deals: alerts and their delivery, and the events of our accounts."""
