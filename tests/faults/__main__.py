"""`make faults`: the long run, and its table."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import make_app, migrate, settings_for
from tests.faults.run import run

OFFERS, KILLS, SEED = 1_000, 50, 4


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    with tempfile.TemporaryDirectory(prefix="bidflux-faults-") as folder:
        data = Path(folder)
        migrate(make_app(settings_for(data)))
        began = time.monotonic()
        figures = run(data, f"sqlite:///{data / 'bidflux.db'}", offers=OFFERS, kills=KILLS, seed=seed, patient=True)
        figures["seconds"] = round(time.monotonic() - began)
        figures["seed"] = seed
    for name, value in figures.items():
        print(f"{name:<32}{value:>8,}")


if __name__ == "__main__":
    main()
