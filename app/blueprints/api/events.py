"""`/events`: every change in order, so that a CRM stays in step."""

from __future__ import annotations

from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import ApiAnswer, operation
from app.blueprints.api.paging import link_next
from app.blueprints.api.schemas.events import EventPage, EventQuery
from app.privacy.access_log import note_key
from app.web.api_keys import key_holder
from app.webhooks.events import check_place, events_after


@api.get("/events")
@operation(
    "Follow every change", tag="Events", scope="read", query=EventQuery, answers={200: EventPage}, refusals=(409,)
)
def events_list(query: EventQuery) -> ApiAnswer:
    """Nothing is skipped and nothing comes twice: keep `last_seq` and `epoch`; send them next as `after` and `epoch`.

    409 when a backup was restored that does not hold what you have seen: begin again with `after=0`, and drop from your
    copy what does not come.
    """
    agency_id = key_holder().agency_id
    check_place(agency_id, query.after, query.epoch)
    data, more = events_after(agency_id, query.after, query.limit)
    last, epoch = data[-1]["seq"] if data else query.after, key_holder().epoch
    cursor = str(last) if more else None
    if data:
        note_key("listed", [None], by=key_holder())
    body = {"data": data, "has_more": more, "next_cursor": cursor, "last_seq": last, "epoch": epoch}
    return ApiAnswer(body, headers=link_next("after", cursor, epoch=epoch))
