"""What a deal's money did: double entry in base units, reconciled to the chain."""
