"""Backups: a consistent copy of the database, sealed to a key that is not on the machine (age, https://age-encryption.org).

`archive` packs and seals, `engines` copies a database out and in, `checking` tells whether a copy is whole.
"""


class BackupFailed(Exception):
    """Says in one line what the operator has to do."""
