"""The database's schema, step by step; `holdfast db upgrade` applies it."""
