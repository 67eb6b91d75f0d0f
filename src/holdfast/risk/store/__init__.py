"""What risk keeps in Postgres; every function works in the caller's transaction."""
