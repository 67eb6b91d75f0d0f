"""The shared vocabulary of a deal: its states, steps, legs and plan; pure Python."""
