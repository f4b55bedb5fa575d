"""Every change in order: the contract for staying in step."""

from __future__ import annotations

from app.api_access import key_holder
from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import Answer, operation
from app.blueprints.api.paging import link_next
from app.blueprints.api.schemas.events import EventPage, EventQuery
from app.queries.events import events_after
from app.services.accesses import note_key


@api.get("/events")
@operation("Follow every change", tag="Events", scope="read", query=EventQuery, answers={200: EventPage})
def events_list(query: EventQuery) -> Answer:
    """Nothing is skipped and nothing comes twice: keep `last_seq`, and ask again with it as `after`."""
    data, more = events_after(key_holder().agency_id, query.after, query.limit)
    last = data[-1]["seq"] if data else query.after
    cursor = str(last) if more else None
    if data:
        note_key("listed", [None], by=key_holder())
    body = {"data": data, "has_more": more, "next_cursor": cursor, "last_seq": last}
    return Answer(body, headers=link_next("after", cursor))
