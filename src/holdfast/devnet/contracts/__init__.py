"""Vyper sources of the devnet's own tokens, price feed and redemption desk."""
