"""From a durable wish for one transaction to its final outcome: nonce, signature, send, confirm."""
