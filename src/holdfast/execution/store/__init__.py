"""The deal's tables and the statements over them."""
