"""Bugs that are planted into a worker, to see the recovery tests turn red."""
