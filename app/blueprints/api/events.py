"""Every change in order: the contract for staying in step."""

from __future__ import annotations

from app.api_access import key_holder
from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import Answer, operation
from app.blueprints.api.paging import link_next
from app.blueprints.api.schemas.events import EventPage, EventQuery
from app.errors import Conflict
from app.queries.events import events_after, last_seq
from app.services.accesses import note_key


@api.get("/events")
@operation(
    "Follow every change", tag="Events", scope="read", query=EventQuery, answers={200: EventPage}, refusals=(409,)
)
def events_list(query: EventQuery) -> Answer:
    """Nothing is skipped and nothing comes twice: keep `last_seq`, and ask again with it as `after`.

    409 when there is no event with that number yet, as after a backup was restored: begin again from 0.
    """
    agency_id = key_holder().agency_id
    data, more = events_after(agency_id, query.after, query.limit)
    if not data and query.after > (last := last_seq(agency_id)):
        raise Conflict(f"The last event is number {last}: you are ahead of us. Begin again from 0.")
    last = data[-1]["seq"] if data else query.after
    cursor = str(last) if more else None
    if data:
        note_key("listed", [None], by=key_holder())
    body = {"data": data, "has_more": more, "next_cursor": cursor, "last_seq": last}
    return Answer(body, headers=link_next("after", cursor))
