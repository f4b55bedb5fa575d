"""Under every noun: database, ledger, vault, keys, signed links, money, time, words."""
