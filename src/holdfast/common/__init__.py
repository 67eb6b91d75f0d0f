"""Building blocks without deal words: ids, EVM values, money, clock, errors, database, queue."""
