"""`make bench`: the table of ratios. A missed target is printed, not failed; a wrong answer stops the run.

`make bench SUITES="buyer mail"` runs some of it; `python -m benchmarks --quick` only rehearses.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import api, buyer, deadline, growth, listing, mail, privacy, proof, starting, webhooks
from benchmarks.load import CLIENT

SUITES = {
    "buyer": buyer.rows,
    "deadline": deadline.rows,
    "mail": mail.rows,
    "api": api.rows,
    "webhooks": webhooks.rows,
    "list": listing.rows,
    "proof": proof.rows,
    "privacy": privacy.rows,
    "starting": starting.rows,
    "growth": growth.rows,
}


def main() -> None:
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")] or list(SUITES)
    print(f"The client: {CLIENT}. Times in µs: of the server's processors, for one request.")
    print(f"{'what':<34}{'figure':<44}{'ratio':<8}{'target':<14}", flush=True)
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            for row in SUITES[name](Path(folder)):
                held = "met" if row.met else "MISSED"
                print(f"{row.what:<34}{row.figure:<44}{row.ratio:<8}{row.target:<14}{held}", flush=True)


if __name__ == "__main__":
    main()
