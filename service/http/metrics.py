"""Prometheus metrics: requests as they come, and the state of the clinic's work at each scrape."""

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import cast

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from service import __version__, clock
from service.health import gauges, readiness
from service.http import context
from service.wiring import Wiring

__all__ = ["CONTENT_TYPE", "install", "text"]


class Work(Collector):
    """The state of messages, exports, and jobs, read from the database at each scrape."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def describe(self) -> list[Metric]:
        """Describe nothing in advance, so that the database is only queried by a scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield one metric family after the other."""
        wiring, now = self._wiring, clock.now()
        with wiring.database.reading() as session:
            found = gauges.read(session)
        yield _labelled("rounds_info", "The program", "version", {__version__: 1})
        checks = readiness.checks(wiring.database, wiring.settings)
        yield _labelled("rounds_check_ok", "1: not down", "check", {c.title: int(c.state != "down") for c in checks})
        yield _labelled("rounds_messages", "Messages by status", "status", found.messages)
        yield _labelled("rounds_exports", "Exports by status", "status", found.exports)
        yield _labelled("rounds_job_runs", "Runs of jobs by status", "status", found.runs)
        done = {job: at.timestamp() for job, at in found.done_at.items()}
        yield _labelled("rounds_job_done_timestamp_seconds", "When a job last did its work", "job", done)
        oldest = (now - found.oldest_due_at).total_seconds() if found.oldest_due_at else 0
        yield GaugeMetricFamily("rounds_message_oldest_due_seconds", "How long the oldest message is late", oldest)
        if found.ticked_at is not None:
            ticked = found.ticked_at.timestamp()
            yield GaugeMetricFamily("rounds_scheduler_tick_timestamp_seconds", "When the scheduler ticked", ticked)
        yield GaugeMetricFamily(
            "rounds_disk_free_bytes", "Free on the database's disk", readiness.room(wiring.settings)
        )


def install(app: Flask, wiring: Wiring) -> None:
    """Count requests by route rather than URL, which holds ids."""
    registry = CollectorRegistry()
    registry.register(Work(wiring))
    requests = Counter("rounds_http_requests", "Answers by route", ("route", "method", "status"), registry=registry)
    seconds = Histogram(
        "rounds_http_request_seconds",
        "Time to an answer, by route",
        ("route",),
        buckets=(0.01, 0.05, 0.25, 1, 5),
        registry=registry,
    )
    app.extensions["rounds metrics"] = registry

    @app.after_request
    def count(response: Response) -> Response:
        route = request.endpoint or "none"
        requests.labels(route, context.method(), str(response.status_code)).inc()
        seconds.labels(route).observe(monotonic() - g.get("began", monotonic()))
        return response


def text() -> bytes:
    """Return all metrics in text format."""
    return generate_latest(cast(CollectorRegistry, current_app.extensions["rounds metrics"]))


def _labelled(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
