"""What the program tells of itself: lines of JSON, figures, and how long each call took.

Nothing of it names a person: e-mail addresses in messages are replaced, ids of people and
requests are given as keyed hashes, which are the same within one process alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from cityverse.settings import Settings

log = logging.getLogger(__name__)

NAMESPACE = "CityVerse"
"""Where the figures of this program stand among those of others."""

WORKER_ROUNDS = "worker_rounds"
"""How many rounds a worker has ended."""

_MAIL = re.compile(r"[^\s@<>\"'=,;:]{1,64}@[^\s@<>\"',;:]{1,255}")
_KEY = secrets.token_bytes(32)
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# What a log call may add, by ``extra``; of these the ids are hashed.
_IDS = ("user", "request")
_FACTS = ("service", "operation", "outcome", "milliseconds", "attempts")


def hashed(value: str) -> str:
    """Sixteen hexadecimal digits that say nothing of the value, the same for the same one."""
    return hashlib.blake2b(value.encode(), key=_KEY, digest_size=8).hexdigest()


class JsonLines(logging.Formatter):
    """One line of JSON for each event."""

    def format(self, record: logging.LogRecord) -> str:
        """The event with its time, level, logger and message, and what was added to it."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": _nameless(record.getMessage()),
        }
        given = record.__dict__
        line |= {name: hashed(str(given[name])) for name in _IDS if name in given}
        line |= {name: given[name] for name in _FACTS if name in given}
        if record.exc_info:
            line["exception"] = _nameless(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def _nameless(text: str) -> str:
    return _MAIL.sub("(e-mail)", text)


def start_logging(settings: Settings) -> None:
    """Send events to stderr, as text or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    plain = settings.log_format == "text"
    handler.setFormatter(logging.Formatter(_TEXT) if plain else JsonLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler])


class Figures:
    """Counts of what happened since the process started; safe to share by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._rounds = 0

    def called(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        """Note one call to the store; ``outcome`` is ``ok`` or the code of its error."""
        with self._lock:
            self._calls[service, operation, outcome] += 1
            # A Counter takes fractions as well; its type does not say so.
            self._seconds[service, operation] += seconds  # type: ignore[assignment]

    def ended_round(self) -> None:
        """Note that the worker has ended a round."""
        with self._lock:
            self._rounds += 1

    def as_prometheus(self) -> str:
        """All figures in the text format of Prometheus."""
        with self._lock:
            calls, seconds = sorted(self._calls.items()), sorted(self._seconds.items())
            rounds = self._rounds
        lines = ["# TYPE cityverse_store_calls_total counter"]
        for (service, operation, outcome), number in calls:
            labels = f'service="{service}",operation="{operation}",outcome="{outcome}"'
            lines.append(f"cityverse_store_calls_total{{{labels}}} {number}")
        lines.append("# TYPE cityverse_store_seconds_total counter")
        for (service, operation), took in seconds:
            labels = f'service="{service}",operation="{operation}"'
            lines.append(f"cityverse_store_seconds_total{{{labels}}} {took:.6f}")
        lines += [
            f"# TYPE cityverse_{WORKER_ROUNDS}_total counter",
            f"cityverse_{WORKER_ROUNDS}_total {rounds}",
        ]
        return "\n".join(lines) + "\n"


FIGURES = Figures()
"""The figures of this process."""


def round_as_emf(process: str) -> str:
    """One ended round as a line of CloudWatch's embedded metric format."""
    measured = {
        "Namespace": NAMESPACE,
        "Dimensions": [["process"]],
        "Metrics": [{"Name": WORKER_ROUNDS, "Unit": "Count"}],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [measured]}
    return json.dumps({"_aws": about, "process": process, WORKER_ROUNDS: 1})


def tell_round(settings: Settings) -> None:
    """Count an ended round of the worker, and print it where CloudWatch reads it."""
    FIGURES.ended_round()
    if settings.metrics == "emf":
        sys.stdout.write(round_as_emf("worker") + "\n")
        sys.stdout.flush()


def trace(events: Any) -> None:
    """Time every call of a client of boto3; ``events`` is its ``meta.events``."""
    events.register("before-call", _began)
    events.register("after-call", _ended)
    events.register("after-call-error", _failed)


def _began(context: dict[str, Any], **_: Any) -> None:
    context["cityverse_began"] = time.perf_counter()


def _ended(context: dict[str, Any], model: Any, http_response: Any, parsed: Any, **_: Any) -> None:
    told = parsed.get("ResponseMetadata", {})
    failed = http_response.status_code >= 300
    outcome = parsed.get("Error", {}).get("Code", "error") if failed else "ok"
    service = str(model.service_model.service_name)
    attempts = told.get("RetryAttempts", 0) + 1
    _measure(context, service, model.name, outcome, told.get("RequestId", ""), attempts)


def _failed(context: dict[str, Any], exception: BaseException, event_name: str, **_: Any) -> None:
    service, operation = event_name.split(".")[1:3]
    _measure(context, service, operation, type(exception).__name__, "", 1)


def _measure(
    context: dict[str, Any],
    service: str,
    operation: str,
    outcome: str,
    request: str,
    attempts: int,
) -> None:
    seconds = time.perf_counter() - context.get("cityverse_began", time.perf_counter())
    outcome = re.sub(r"[^A-Za-z0-9_.-]", "_", outcome)[:64]
    FIGURES.called(service, operation, outcome, seconds)
    if log.isEnabledFor(logging.DEBUG):
        facts = {
            "service": service,
            "operation": operation,
            "outcome": outcome,
            "milliseconds": round(seconds * 1000, 3),
            "attempts": attempts,
            "request": request,
        }
        log.debug("%s %s: %s", service, operation, outcome, extra=facts)
