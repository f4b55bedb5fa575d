"""Group commit: who holds an agency's lock writes for all in this process who wait for it too, and commits once.

A commit with its fsync, the head's update and the worker's bell are then paid for once by many. Nobody is answered
before the commit that holds what they wrote. See docs/decisions/0030-group-commit.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, TypeVar

from flask import current_app

from app.core.clock import now
from app.core.errors import DomainError
from app.core.logs import current_request_id
from app.core.unit_of_work import OPEN, UnitOfWork, writing
from app.extensions import db

MOST = 50  # in one commit
Answer = TypeVar("Answer")
Act = Callable[[UnitOfWork], Any]


@dataclass(eq=False, slots=True)
class _Task:
    """One act, and what became of it once it is `settled`. It `leads` where its thread is to write for the others; it
    goes `alone` where something failed in its group, which then wrote nothing."""

    act: Act
    request_id: str | None
    settled: Event = field(default_factory=Event)
    leads: bool = False
    alone: bool = False
    answer: Any = None
    refused: DomainError | None = None


class GroupCommit:
    """The acts that wait, by agency. An agency is named here while somebody leads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[uuid.UUID, list[_Task]] = {}

    def run(self, agency_id: uuid.UUID, act: Act) -> Any:
        task = _Task(act, current_request_id())
        with self._lock:
            task.leads = agency_id not in self._waiting
            if task.leads:
                self._waiting[agency_id] = []
            else:
                self._waiting[agency_id].append(task)
        if not task.leads:
            db.session.rollback()  # no transaction stays open over the waiting
            task.settled.wait()
        if task.leads:
            self._lead(agency_id, task)
        if task.alone:
            with writing(agency_id) as tx:
                return act(tx)
        if task.refused:
            raise task.refused
        return task.answer

    def _lead(self, agency_id: uuid.UUID, own: _Task) -> None:
        """Write for the own thread and for all who have come meanwhile."""
        group, kept = [own], False
        try:
            with writing(agency_id) as tx:
                for task in self._coming(agency_id, group):
                    tx.at, tx.request_id = now(), task.request_id
                    _act(task, tx)
            kept = True
        except Exception:
            if len(group) == 1:
                raise
        finally:
            self._hand_on(agency_id)
            for task in group:
                task.alone, task.leads = not kept, False
                task.settled.set()

    def _coming(self, agency_id: uuid.UUID, group: list[_Task]) -> Iterator[_Task]:
        """The group as it grows, up to `MOST`."""
        yield group[0]
        while len(group) < MOST:
            with self._lock:
                if not self._waiting[agency_id]:
                    return
                group.append(self._waiting[agency_id].pop(0))
            yield group[-1]

    def _hand_on(self, agency_id: uuid.UUID) -> None:
        """Who came too late for this group leads the next."""
        with self._lock:
            waiting = self._waiting[agency_id]
            if waiting:
                waiting[0].leads = True
                waiting.pop(0).settled.set()
            else:
                del self._waiting[agency_id]


def _act(task: _Task, tx: UnitOfWork) -> None:
    written = tx.used.bytes
    try:
        task.answer = task.act(tx)
    except DomainError as refused:
        if tx.has_gathered or tx.used.bytes != written:
            raise
        task.refused = refused
    tx.flush()


def write_together(agency_id: uuid.UUID, act: Callable[[UnitOfWork], Answer]) -> Answer:
    """What `act` answers, once that is committed; it raises what `act` refuses, of which nothing is written.

    It may run in another thread, and twice where a group failed: it uses nothing of the request and of no session's
    rows, and refuses before it writes. Inside another unit of the same agency it joins that one.
    """
    if db.session.info.get(OPEN) is not None:
        with writing(agency_id) as tx:
            return act(tx)
    group: GroupCommit = current_app.extensions["bidflux_group"]
    answer: Answer = group.run(agency_id, act)
    return answer
