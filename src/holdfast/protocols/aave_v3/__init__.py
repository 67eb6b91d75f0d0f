"""Aave V3, pool revision 3.0.x: calls, events, reads, and the pool's arithmetic to the wei."""
