"""What is told of deals and of the desk: where they stand, reports over time, stress as text."""
