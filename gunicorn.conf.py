"""How the web processes run; sized by environment, the same under `make run` and in production."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

from gunicorn.glogging import Logger


def _number(name, default, high):
    """A whole number, or one line that names the setting."""
    value = os.environ.get(name, "").strip() or str(default)
    if not value.isdecimal() or len(value) > 5 or not 1 <= int(value) <= high:
        raise SystemExit(f"{name} must be a whole number from 1 to {high}, not {value!r}")
    return int(value)


def _host():
    """An IPv6 address stands in brackets before a port, whether it was given in them or not."""
    host = (os.environ.get("HOST") or "127.0.0.1").strip("[] ")
    return f"[{host}]" if ":" in host else host


bind = f"{_host()}:{_number('PORT', 8000, 65535)}"
# Requests are read whole, and answers kept, outside the threads: slow callers hold none (decision 0020).
worker_class = "app.web.server.BufferingWorker"
workers = _number("WEB_CONCURRENCY", 2, 1000)
threads = _number("WEB_THREADS", 4, 1000)

# A request under way when a deploy begins is finished; a stuck one does not hold the deploy up.
graceful_timeout = 25
timeout = 60

# One load for all workers: nothing is connected before the fork, and memory is shared.
preload_app = True

# The heartbeat file belongs in memory: on a disk a slow write looks like a dead worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # files in memory that gunicorn names by itself


def _share_figures():
    """A folder in which the processes of this server keep their counts of requests, for whichever tells `/metrics`.
    Made before the library that reads its name is imported; a reload keeps it."""
    own = f"-{os.getpid()}"
    if os.getenv("PROMETHEUS_MULTIPROC_DIR", "").endswith(own):
        return
    for left in Path(worker_tmp_dir or tempfile.gettempdir()).glob("bidflux-figures-*"):
        if Path("/proc/self").exists() and not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)  # of a server that was killed
    folder = tempfile.mkdtemp(prefix="bidflux-figures-", suffix=own, dir=worker_tmp_dir)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    made_by = os.getpid()
    atexit.register(lambda: os.getpid() == made_by and shutil.rmtree(folder, ignore_errors=True))


_share_figures()


def _without_tokens(record):
    """What the server says of a request it could not read quotes the path, and links carry their token there."""
    from app.core.logs import without_tokens

    record.msg, record.args = without_tokens(record.getMessage()), ()
    return True


class ServerLog(Logger):
    """The server's own log of faults, without the tokens of links."""

    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.addFilter(_without_tokens)


# The server writes no access log; the application logs, redacted.
accesslog = None
logger_class = ServerLog
errorlog = "-"
loglevel = os.environ.get("WEB_LOG_LEVEL") or "warning"
control_socket_disable = True

# A caller says nothing of where the application stands or how it was reached. Proxies are named by TRUSTED_PROXIES.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers = {}


def _name_setup_link(settings):
    """A new installation says where its first agency is made; `make run` says it by itself."""
    from app.accounts import founding

    if settings.environment == "production" and (first := founding.link()):
        url, until = first
        sys.stderr.write(
            f"BidFlux has no agency yet. Make the first one here, once, until {until:%Y-%m-%d %H:%M} UTC:\n"
        )
        sys.stderr.write(f"{url}\n")
        sys.stderr.flush()


def on_starting(server):
    """Before anything is served: a restored database forgets again who was forgotten since its backup."""
    from app.backups import ending
    from app.cli.errors import line_of
    from app.core.memory import keep_little
    from app.extensions import db
    from app.ops import proxies
    from app.ops.own_files import require_own_files
    from app.privacy import erasure
    from app.web.sockets import open_for_each
    from wsgi import app

    keep_little()
    try:
        with app.app_context():
            ending.complete()
            require_own_files()
            erasure.replay()
            proxies.warn()
            _name_setup_link(app.extensions["bidflux_settings"])
            db.session.remove()
            db.engine.dispose()
    except Exception as error:
        if (line := line_of(error)) is None:
            raise
        raise SystemExit(line) from None
    open_for_each(server)
    # What is loaded stays: workers need not go through it at every collection, nor copy the pages it lies on.
    # A page makes thousands of short-lived tuples and no cycles worth looking for every 700 of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def when_ready(server):
    """What was handed over by the process before may be more than there are processes now."""
    from app.web.sockets import close_spare

    close_spare(server)


def pre_fork(server, worker):
    """Each process has a listening socket of its own (decision 0028)."""
    from app.web.sockets import choose

    choose(server, worker)


def post_fork(server, worker):
    """In the process that was made."""
    from app.web.sockets import keep_own

    keep_own(server, worker)


def child_exit(server, _worker):
    """A process has ended, and another takes its socket unless there shall be fewer."""
    from app.web.sockets import close_spare

    close_spare(server)
