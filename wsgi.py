"""What gunicorn and `flask --app wsgi` load."""

from app import create_app
from app.cli.errors import started

app = started(create_app)
