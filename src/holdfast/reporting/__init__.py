"""What is told of deals afterwards: legs, ledger, profit and loss, invariants."""
