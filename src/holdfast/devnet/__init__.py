"""A real EVM node with real protocol bytecode, for demonstrations and tests; never production."""
