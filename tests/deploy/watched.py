"""The application, which also writes down each request as it understood it: `gunicorn … tests.deploy.watched:app`."""

import json
import os
from pathlib import Path

from flask import request

from app import create_app

SEEN = Path(os.environ["BIDFLUX_SEEN"])
app = create_app()


def _note() -> None:
    said = {"address": request.remote_addr, "scheme": request.scheme, "host": request.host, "path": request.path}
    with SEEN.open("a") as file:
        file.write(json.dumps({**said, "headers": dict(request.headers)}) + "\n")


app.before_request_funcs.setdefault(None, []).insert(0, _note)
