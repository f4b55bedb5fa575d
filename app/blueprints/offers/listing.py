"""The list of offers: the page and its live parts, what is new meanwhile, and the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, redirect, request, stream_with_context, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers import list_page
from app.blueprints.offers.routes import offers, today
from app.core.errors import Invalid
from app.core.numbers import NotANumber, whole
from app.offers import undelivered
from app.offers.exports import reading, writing
from app.offers.list import pages
from app.privacy import access_log
from app.web.fragments import page
from app.web.guards import Guard, person, policy
from app.web.htmx import is_full_view, is_seen, wants_block
from app.web.large_files import large_file

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@offers.get("/app/offers")
@policy(Guard.SIGNED_IN, limit="600/minute", records="whom a person looked for")
def index() -> AnyResponse:
    """The list; its address holds filter and place, and nothing that was left empty."""
    by, live = person(), wants_block()
    if not live and "" in request.args.values():
        return redirect(url_for("offers.index", **list_page.given()), 303)
    chosen, errors = list_page.read_address(by, request.args)
    after, before = (pages.Cursor.read(request.args.get(name), chosen.sort) for name in ("after", "before"))
    shown = pages.nothing() if errors else pages.list_offers(by, chosen, after=after, before=before)
    context = list_page.results(by, chosen, shown, errors, today())
    rows_only = request.headers.get("HX-Target", "").endswith("#offer-results")
    if not (live and rows_only):
        context |= list_page.choices(by, chosen)
    if not live:
        context["undelivered"] = undelivered.count(by)
    response = page("offers/index.html", "offer_results" if rows_only else "offer_list", **context)
    if (chosen.q or chosen.email) and is_seen():  # last: after a unit of work all that was read is read again
        access_log.note_search([line.id for line in shown.lines if line.name is not None], by=by)
    if live:
        kind = "HX-Replace-Url" if rows_only and list_page.replaces_history(by, chosen) else "HX-Push-Url"
        response.headers[kind] = (
            url_for("offers.index", **list_page.given())
            if errors
            else list_page.address(chosen, after=after, before=before)
        )
    return response


@offers.get("/app/offers/news")
@policy(Guard.SIGNED_IN, limit="600/minute")
def news() -> Response:
    """How many offers of the filter came in after event number `seen`; nothing when nothing happened since `at`."""
    by = person()
    seen, at = (_number(request.args.get(name, "")) for name in ("seen", "at"))
    if at >= by.agency.event_seq:
        return Response(status=204)
    chosen, errors = list_page.read_address(by, request.args)
    new = 0 if errors else pages.count_since(by, chosen, seen)
    return page("offers/_news.html", **list_page.news(chosen, seen, by.agency.event_seq, new))


def _number(text: str) -> int:
    try:
        return whole(text)
    except NotANumber:
        return 0


@offers.get("/app/offers.csv")
@policy(
    Guard.SIGNED_IN, limit="20/minute", records="who took out which offers, before the first row leaves", step_up=True
)
def export_csv() -> Response:
    """The offers of a filter as a file; with `columns=machine` under the names of the API."""
    zone = person().agency.zone
    if request.args.get("columns") == "machine":
        return _file("csv-machine", "csv", "text/csv; charset=utf-8", writing.machine_csv)
    return _file("csv", "csv", "text/csv; charset=utf-8", lambda rows: writing.offers_csv(rows, zone))


@offers.get("/app/offers.xlsx")
@policy(
    Guard.SIGNED_IN, limit="20/minute", records="who took out which offers, before the first row leaves", step_up=True
)
def export_xlsx() -> Response:
    """The offers of a filter as a workbook, with real numbers and dates."""
    zone = person().agency.zone
    return _file("xlsx", "xlsx", XLSX, lambda rows: writing.offers_xlsx(rows, zone))


def _file(
    form: str,
    ending: str,
    kind: str,
    write: Callable[[Iterator[reading.Exported]], Iterator[str] | Iterator[bytes]],
) -> Response:
    """A file of what the filter shows. HEAD and prefetches take nothing, and record nothing."""
    by = person()
    chosen, errors = list_page.read_address(by, request.args)
    if errors:
        raise Invalid(errors)  # rather no file than one of more offers than were asked for
    name = _("offers")  # not within the f-string, where Babel does not look
    headers = {"Content-Disposition": f'attachment; filename="{name}-{today().isoformat()}.{ending}"'}
    if not is_full_view():
        return Response(iter(()), content_type=kind, headers=headers)
    with large_file(by.agency_id) as sent:
        writing.record_export(chosen, by=by, form=form, purpose=request.args.get("purpose", ""))
        file: Any = stream_with_context(write(reading.all_offers(by, chosen)))
        return sent(Response(file, content_type=kind, headers=headers))
