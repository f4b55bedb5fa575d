"""HTTP in, HTML or JSON out. One folder a noun."""

from flask import Flask

from app.extensions import csrf
from app.web.guards import Cache, Guard, policy


def register_blueprints(app: Flask) -> None:
    from app.blueprints.accounts import accounts
    from app.blueprints.accounts.routes import sign_in_first
    from app.blueprints.accounts.second import confirm_first
    from app.blueprints.api import api, api_docs
    from app.blueprints.offers import offers
    from app.blueprints.ops import ops
    from app.blueprints.properties import properties
    from app.blueprints.public import public
    from app.blueprints.settings import settings
    from app.blueprints.site import site
    from app.blueprints.stats import stats

    for blueprint in (site, public, accounts, offers, properties, stats, settings, ops, api, api_docs):
        app.register_blueprint(blueprint)
    app.extensions["bidflux_sign_in"] = sign_in_first
    app.extensions["bidflux_step_up"] = confirm_first
    csrf.exempt(api)  # a key in a header is nothing that a browser sends by itself
    static = app.view_functions["static"]
    app.view_functions["static"] = policy(Guard.PUBLIC, limit="3000/minute", cache=Cache.FOREVER, scope="static")(
        static
    )
