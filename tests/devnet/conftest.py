"""Every test of this folder may ask for a devnet."""

from tests.support.devnet import devnet, interval_devnet, ready, start_devnet

__all__ = ["devnet", "interval_devnet", "ready", "start_devnet"]
