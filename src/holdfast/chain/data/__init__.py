"""Packaged profiles of production chains."""
