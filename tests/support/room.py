"""Caps that no load meets: hundreds of deals of one bank in an hour are a test's, not a desk's."""

_DOLLARS = "1000000000000"

ROOM = {f"max_{name}": _DOLLARS for name in ("bank", "module", "asset", "day")}
"""Settings, as the environment has them without their prefix and in lower case."""
