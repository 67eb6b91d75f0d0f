"""The loop: what a deal does next, written durably, woken by events."""
