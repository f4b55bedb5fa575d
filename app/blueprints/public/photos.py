"""A property's photo for whoever shows the property elsewhere: the CRM, a portal."""

from __future__ import annotations

from flask import Response

from app.blueprints.public.routes import public
from app.core.signed_links import PHOTO
from app.models import Upload
from app.offers.details import photo_by_id
from app.web.guards import Cache, Guard, policy
from app.web.loaders import ByLink


@public.get("/photos/<token>")
@policy(Guard.LINK, limit="600/minute", cache=Cache.FOREVER, opens=ByLink({PHOTO: photo_by_id}))
def shared_photo(picture: Upload) -> Response:
    """The picture that the token names, while it is the property's."""
    return Response(picture.body, mimetype=picture.mime)
