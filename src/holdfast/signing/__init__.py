"""Keys and signatures: a Signer per key, a KeyProvider per backend, one encoder for all."""
