"""Workers of their own: Celery and Redis bring ids to them, the ledger in the database decides what is done.

What the broker loses, brings late or brings twice does no harm: the next tick queues again whatever no one does, and
a claim lets one worker have it.
"""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from service.circuit_breaker import CircuitBreaker
from service.config.settings import Settings
from service.jobs.local_backend import CLEAN_UP_EVERY, TICK_SECONDS

EXPIRES_SECONDS = 4 * TICK_SECONDS
"""What no worker has taken by then is dropped: it was queued again meanwhile, and a queue never grows without end."""
VISIBILITY_SECONDS = 3600
"""When the broker brings again what a killed worker had taken; by the ledger someone else has done it long since."""
JOBS, POST, EXPORTS, CLINIC = "jobs", "post", "exports", "clinic"
QUEUES = (JOBS, POST, EXPORTS, CLINIC)
"""A worker takes from all of them, or from those named with -Q: so nothing need wait behind a long export."""
SPARE = 4
"""Threads of a worker beside those for patients' exports: two jobs, the post, an export of the whole clinic."""


def application(settings: Settings, *, patience: float) -> Celery:
    """Celery as the settings say; `patience` is how many seconds a silent broker may hold up anyone who queues work."""
    app = Celery("rounds", broker=settings.jobs.broker_url, set_as_current=False)
    exchange = Exchange("rounds", "direct")
    again = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue=JOBS,
        task_queues=[Queue(name, exchange, routing_key=name) for name in QUEUES],
        task_publish_retry_policy=again,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": patience,
            "socket_timeout": patience,
            **again,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_pool="threads",  # one process of 100 MB; forked ones take 60 MB each
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.jobs.export_workers + SPARE,
        worker_enable_remote_control=False,  # anyone who reaches the broker need not command the workers
        worker_redirect_stdouts=False,  # messages that go to the console are for no log
        beat_scheduler="celery.beat:Scheduler",  # keeps no file: what was done is known from the database
        beat_schedule={
            "tick": _every(TICK_SECONDS, "rounds.tick"),
            "clean_up": _every(TICK_SECONDS * CLEAN_UP_EVERY, "rounds.clean_up"),
        },
    )
    return app


class CeleryBackend:
    """The job queue of a clinic whose work is done by workers; this process only hands it over."""

    def __init__(self, settings: Settings, patience: float = 0.2) -> None:
        self._app = application(settings, patience=patience)
        self._breaker = CircuitBreaker("the broker", (OperationalError,))
        self._stopped = False

    def run(self, run_id: int) -> None:
        """Let a worker execute a run of the ledger."""
        self._send("rounds.run", JOBS, run_id)

    def export(self, export_id: str) -> None:
        """Let a worker write an export."""
        self._send("rounds.export", EXPORTS, export_id)

    def export_clinic(self, export_id: str) -> None:
        """Let a worker write the whole clinic."""
        self._send("rounds.export", CLINIC, export_id)

    def deliver(self) -> None:
        """Let a worker send the messages that wait."""
        self._send("rounds.deliver", POST)

    def posted(self) -> None:
        """The same, for what was just written."""
        self.deliver()

    def start(self) -> None:
        """Nothing ticks here: beat does."""

    def stop(self, seconds: float) -> bool:
        """Hand nothing over any more."""
        self._stopped = True
        self._app.close()
        return True

    def tick(self) -> None:
        """Let a worker tick and clean up now, for whatever was missed."""
        self._send("rounds.tick", JOBS)
        self._send("rounds.clean_up", JOBS)

    def _send(self, task: str, queue: str, *args: Any) -> None:
        """Hand over ids; what the broker does not take now the next tick finds."""
        if not self._stopped:
            options: dict[str, Any] = {"queue": queue, "expires": EXPIRES_SECONDS, "ignore_result": True}
            self._breaker.ask(lambda: self._app.send_task(task, args, **options))


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": float(seconds), "options": {"queue": JOBS, "expires": seconds}}
