"""Feeds, for the agency's owner: where properties are read from, what a try shows, and what each run came to."""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.settings.feed_forms import FIELD_NAMES, FeedForm
from app.blueprints.settings.routes import settings
from app.core.errors import Invalid
from app.feeds import editing as feeds
from app.feeds import tries
from app.properties import photos
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@settings.route("/app/settings/feeds", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="30/minute", scope="settings-feeds")
def feed_list() -> AnyResponse:
    """Every feed with its last run, and the form of a new one."""
    if request.method == "GET":
        return _list(FeedForm())
    form = FeedForm(request.form)
    if not form.validate():
        return _list(form, 422)
    try:
        made = feeds.create(person().agency_id, form.values(request.files.get("file")), by=person().actor)
    except Invalid as invalid:
        return _list(_refused(form, invalid), 422)
    return done(url_for("settings.feed", feed_id=made), _("The feed is added. Try it out before it runs."))


@settings.route("/app/settings/feeds/<uuid:feed_id>", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="60/minute", scope="settings-feed")
def feed(feed_id: uuid.UUID) -> AnyResponse:
    """One feed with its last runs; or a change of it."""
    feed = feeds.get_feed(person().agency_id, feed_id)
    if request.method == "GET":
        return _show(feed_id)
    form = FeedForm(request.form)
    form.kind.data = feed.kind
    if not form.validate():
        return _show(feed_id, 422, form=form)
    try:
        feeds.change(feed, form.values(request.files.get("file")), by=person().actor)
    except Invalid as invalid:
        return _show(feed_id, 422, form=_refused(form, invalid))
    return done(url_for("settings.feed", feed_id=feed_id), _("Saved"))


@settings.post("/app/settings/feeds/<uuid:feed_id>/try")
@policy(Guard.OWNER, limit="10/minute", scope="settings-feed-try")
def feed_try(feed_id: uuid.UUID) -> AnyResponse:
    """Have the first ten rows shown as they would come in: by a job, whose progress the page shows."""
    tries.ask(feeds.get_feed(person().agency_id, feed_id), by=person().actor)
    return done(url_for("settings.feed", feed_id=feed_id))


@settings.post("/app/settings/feeds/<uuid:feed_id>/run")
@policy(Guard.OWNER, limit="10/minute", scope="settings-feed-run")
def feed_run(feed_id: uuid.UUID) -> AnyResponse:
    """Have it read now."""
    feeds.ask(feeds.get_feed(person().agency_id, feed_id), by=person().actor)
    return done(url_for("settings.feed", feed_id=feed_id), _("The feed is read within half a minute"))


@settings.post("/app/settings/feeds/<uuid:feed_id>/remove")
@policy(Guard.OWNER, limit="30/minute", scope="settings-feed-remove")
def feed_remove(feed_id: uuid.UUID) -> AnyResponse:
    """Remove a feed; its properties stay."""
    feeds.remove(feeds.get_feed(person().agency_id, feed_id), by=person().actor)
    return done(url_for("settings.feed_list"), _("The feed is removed. Its properties stay."))


def _list(form: FeedForm, status: int = 200) -> Response:
    listed = feeds.with_last_run(person().agency_id)
    return page("settings/feeds.html", status=status, feeds=listed, form=form)


def _show(feed_id: uuid.UUID, status: int = 200, **context: Any) -> Response:
    feed = feeds.get_feed(person().agency_id, feed_id)
    runs = [(run, json.loads(run.errors)) for run in feeds.runs_of(feed)]
    context = {
        "form": FeedForm.of(feed, feeds.source_of(feed).url),
        "tried": tries.outcome_of(feed),
        "names": FIELD_NAMES,
        "photos": photos.failed(feed.agency_id),
        **context,
    }
    return page("settings/feed.html", "trial", status, feed=feed, runs=runs, **context)


def _refused(form: FeedForm, invalid: Invalid) -> FeedForm:
    for name, messages in invalid.errors.items():
        form[name].errors = [*form[name].errors, *(str(message) for message in messages)]
    return form
