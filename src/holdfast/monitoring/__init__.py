"""Watches deals from outside: events of our accounts, the risk monitor, alerts and delivery."""
