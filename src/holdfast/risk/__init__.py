"""What can be lost, and the rules that bound it; pure, and integers only."""
