"""Buyers and a CRM that send offers and decide, while the ground shakes."""

from __future__ import annotations

import json
import random
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Flask

from app.core.signed_links import RECEIPT, read
from tests.faults.rig import NOBODY, Rig, Stage
from tests.public.test_offer_form import GOOD, hidden

GIVES_UP = 0.3  # share of the buyers who, having seen no answer, go away
PATIENCE = 90.0  # seconds for which the others try


@dataclass
class Senders:
    """Sends `count` offers by some threads, half by the form and half by the API, and decides about half."""

    app: Flask
    rig: Rig
    stage: Stage
    count: int
    seed: int
    answered: list[uuid.UUID] = field(default_factory=list)
    decided: dict[uuid.UUID, str] = field(default_factory=dict)
    gave_up: int = 0
    errors: list[str] = field(default_factory=list)

    def start(self, threads: int = 4) -> None:
        self._left = self.count
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(self.seed + n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        return len(self.answered) + self.gave_up

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        choice = random.Random(seed)
        try:
            while self._take():
                offer = self._by_form(choice) if choice.random() < 0.5 else self._by_api(choice)
                if offer is None:
                    self.gave_up += 1
                    continue
                self.answered.append(offer)
                if choice.random() < 0.5:
                    self._decide(offer, choice)
        except Exception as fault:
            self.errors.append(f"{type(fault).__name__}: {fault}")

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _insist(
        self, choice: random.Random, method: str, path: str, body: str, headers: dict[str, str], *, may_give_up: bool
    ) -> tuple[int, dict[str, str], str] | None:
        """Send the same bytes until they are answered; some give up after the first silence."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.rig.ask(method, path, body, headers)
                if answer[0] not in {429, 503}:
                    return answer
            except NOBODY:
                if may_give_up and choice.random() < GIVES_UP:
                    return None
            if time.monotonic() > until:
                raise TimeoutError(path)
            time.sleep(0.2)

    def _by_form(self, choice: random.Random) -> uuid.UUID | None:
        page = self._insist(choice, "GET", self.stage.form, "", {}, may_give_up=False)
        stamp = re.search(r'name="stamp"\s+value="([^"]+)"', page[2] if page else "")
        own = {**GOOD, "email": f"andrei-{choice.randbytes(6).hex()}@client.example"}  # one gets so many mails a day
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({**own, "stamp": stamp[1] if stamp else "", "step": "review"})
        review = self._insist(choice, "POST", self.stage.form, body, headers, may_give_up=False)
        body = urlencode({**hidden(review[2] if review else ""), "step": "send"}, doseq=True)
        answer = self._insist(choice, "POST", self.stage.form, body, headers, may_give_up=True)
        if answer is None:
            return None
        assert answer[0] == 303, (answer[0], answer[2][:2000])
        with self.app.app_context():
            return read(RECEIPT, answer[1]["Location"].rpartition("/r/")[2].partition("?")[0])

    def _by_api(self, choice: random.Random) -> uuid.UUID | None:
        bidder = {"full_name": "Andrei Țurcanu", "phone": "0722 000 111"}
        bidder["email"] = f"andrei-{choice.randbytes(6).hex()}@client.example"  # one address gets so many mails a day
        offer = {
            "property_external_id": self.stage.external_id,
            "amount": str(choice.randrange(90_000, 130_000)),
            "financing": "cash",
            "payment_term_days": 30,
            "bidder": bidder,
        }
        headers = {"Idempotency-Key": choice.randbytes(12).hex(), **self._headers()}
        answer = self._insist(choice, "POST", "/api/crm/offers", json.dumps(offer), headers, may_give_up=True)
        if answer is None:
            return None
        assert answer[0] == 201, answer
        return uuid.UUID(json.loads(answer[2])["id"])

    def _decide(self, offer: uuid.UUID, choice: random.Random) -> None:
        status = choice.choice(["accepted", "rejected"])
        said = {"despite": ["second"]} if status == "accepted" else {}  # another may be accepted by then
        body = json.dumps({"status": status, "notify_bidder": choice.random() < 0.5, **said})
        path = f"/api/crm/offers/{offer}/status"
        answer = self._insist(choice, "PATCH", path, body, self._headers(), may_give_up=False)
        assert answer and answer[0] == 200, answer
        self.decided[offer] = status

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Authorization": f"Bearer {self.stage.key}"}
