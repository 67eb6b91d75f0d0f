"""Writes one advance: settled legs, ledger entries, reconciliation, steps and the deal's row."""

from __future__ import annotations
