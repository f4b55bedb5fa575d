"""The API's blueprint; its routes are in the modules beside this one."""

from flask import Blueprint

from app.blueprints.api.calls import count_headers

api = Blueprint("api", __name__, url_prefix="/api/crm")
api.after_request(count_headers)
