"""The `holdfast` command and its groups."""
