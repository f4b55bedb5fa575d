"""`flask --app wsgi GROUP COMMAND`. Every command takes `--json` for scripts; people read the rest."""

from flask import Flask


def register_commands(app: Flask) -> None:
    from app.cli import accounts, agencies, backup, demo, keys, ledger, operators, ops, privacy, webhooks
    from app.cli.errors import handle_errors

    for module in (accounts, agencies, backup, demo, keys, ledger, operators, ops, privacy, webhooks):
        module.register(app)
    handle_errors(app.cli)
