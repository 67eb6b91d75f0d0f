"""Holdfast: a deal desk whose positions survive crashes, freezes and bad nodes."""
