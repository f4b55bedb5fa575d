"""Copies of the whole database, sealed to a key that is not on the machine.

The format is age (https://age-encryption.org). `archive` packs and seals, `places` finds where the file goes, `engines`
copies a database out, `checking` tells whether a copy is whole, `beside` makes a database of it and swaps that in,
`restoring` calls the others in order.
"""


class BackupFailed(Exception):
    """Says in one line what the operator has to do."""
