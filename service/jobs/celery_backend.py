"""Run jobs in Celery workers. Redis only carries ids; the ledger in the database decides what has to be done.

It does no harm if the broker loses an entry, or delivers it late or twice: the next tick queues unclaimed work again,
and only one worker can claim it.
"""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from service.circuit_breaker import CircuitBreaker
from service.config.settings import Settings
from service.jobs.local_backend import CLEAN_UP_EVERY, TICK_SECONDS

EXPIRES_SECONDS = 4 * TICK_SECONDS
"""Entries expire after this, so that queues don't grow. By then, their work has been queued again."""
VISIBILITY_SECONDS = 3600
"""When the broker redelivers the work of a killed worker. By then, another one has done it."""
JOBS, POST, EXPORTS, CLINIC = "jobs", "post", "exports", "clinic"
QUEUES = (JOBS, POST, EXPORTS, CLINIC)
"""A worker takes work from all of them, or from those named with -Q, so that nothing waits behind a long export."""
SPARE = 4
"""A worker's other threads, besides those for patients' exports: two for jobs, one each for messages and the clinic."""


def application(settings: Settings, *, patience: float) -> Celery:
    """Configure Celery. `patience` is how many seconds to wait for a silent broker when queuing work."""
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
        worker_pool="threads",  # one process of 100 MB; forked processes would take 60 MB each
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.jobs.export_workers + SPARE,
        worker_enable_remote_control=False,  # access to the broker must not give control of the workers
        worker_redirect_stdouts=False,  # console messages don't belong in a log
        beat_scheduler="celery.beat:Scheduler",  # needs no file: the database knows what was done
        beat_schedule={
            "tick": _every(TICK_SECONDS, "rounds.tick"),
            "clean_up": _every(TICK_SECONDS * CLEAN_UP_EVERY, "rounds.clean_up"),
        },
    )
    return app


class CeleryBackend:
    """The job queue of a clinic with workers. This process only queues work."""

    def __init__(self, settings: Settings, patience: float = 0.2) -> None:
        self._app = application(settings, patience=patience)
        self._breaker = CircuitBreaker("the broker", (OperationalError,))
        self._stopped = False

    def run(self, run_id: int) -> None:
        """Let a worker execute a run."""
        self._send("rounds.run", JOBS, run_id)

    def export(self, export_id: str) -> None:
        """Let a worker write an export."""
        self._send("rounds.export", EXPORTS, export_id)

    def export_clinic(self, export_id: str) -> None:
        """Let a worker write an export of the whole clinic."""
        self._send("rounds.export", CLINIC, export_id)

    def deliver(self) -> None:
        """Let a worker send queued messages."""
        self._send("rounds.deliver", POST)

    def posted(self) -> None:
        """Let a worker send what was just queued."""
        self.deliver()

    def start(self) -> None:
        """Do nothing: beat ticks."""

    def stop(self, seconds: float) -> bool:
        """Stop queuing work."""
        self._stopped = True
        self._app.close()
        return True

    def tick(self) -> None:
        """Let a worker tick and clean up now, to catch up."""
        self._send("rounds.tick", JOBS)
        self._send("rounds.clean_up", JOBS)

    def _send(self, task: str, queue: str, *args: Any) -> None:
        """Queue ids. The next tick finds what the broker doesn't accept now."""
        if not self._stopped:
            options: dict[str, Any] = {"queue": queue, "expires": EXPIRES_SECONDS, "ignore_result": True}
            self._breaker.ask(lambda: self._app.send_task(task, args, **options))


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": float(seconds), "options": {"queue": JOBS, "expires": seconds}}
