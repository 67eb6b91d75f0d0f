"""Alerts, chores and events in Postgres; every function works in the caller's transaction."""
