"""What every noun stands on: database, unit of work, ledger, keys, signed links, money, time, words."""
