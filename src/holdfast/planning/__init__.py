"""From a request to a plan: read the market at one block, size the deal, prove what can be lost."""
