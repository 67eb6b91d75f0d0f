"""Where a devnet keeps its files when nothing else is said."""

from __future__ import annotations

from pathlib import Path

DEFAULT_CACHE = Path.home() / ".cache" / "holdfast" / "devnet"
"""Packages and ready states: safe to delete, rebuilt on the next start."""
DEFAULT_STATE_DIR = Path.home() / ".local" / "state" / "holdfast" / "devnet"
"""The running devnet's profile, process id and log."""
DEFAULT_PORT = 8545
"""What wallets and tools expect of a local node."""
