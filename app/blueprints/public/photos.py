"""A property's photo for whoever shows the property elsewhere: the CRM, a portal."""

from __future__ import annotations

from flask import Response

from app.blueprints.public.routes import public
from app.core.errors import NotFound
from app.core.signed_links import PHOTO, BadToken, read
from app.offers.details import photo_by_id
from app.web.guards import Cache, Guard, policy


@public.get("/photos/<token>")
@policy(Guard.LINK, limit="600/minute", cache=Cache.FOREVER)
def shared_photo(token: str) -> Response:
    """The picture that the token names, while it is the property's."""
    try:
        picture = photo_by_id(read(PHOTO, token))
    except BadToken:
        raise NotFound from None
    if picture is None:
        raise NotFound
    return Response(picture.body, mimetype=picture.mime)
