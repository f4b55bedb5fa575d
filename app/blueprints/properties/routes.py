from flask import Blueprint

properties = Blueprint("properties", __name__)
