"""Backups: a consistent copy of the database, sealed to a key that is not on the machine (age, https://age-encryption.org).

`archive` packs and seals, `places` finds where it goes, `engines` copies a database out, `checking` tells whether a
copy is whole, `beside` makes a database of it and swaps that in, `restoring` is the order of it all.
"""


class BackupFailed(Exception):
    """Says in one line what the operator has to do."""
