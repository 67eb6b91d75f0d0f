"""What can be lost, the rules and limits that bound it, and the market that both rest on."""
