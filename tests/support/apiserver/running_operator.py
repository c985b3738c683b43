"""The operator in this process, in a thread and an event loop of its own."""

import asyncio
import threading
import urllib.request
from collections.abc import Callable

from kubernetes.aio.client import Configuration
from prometheus_client import generate_latest

from heart_operator.mlflow.calls import Backend
from heart_operator.operator import Operator
from heart_operator.settings import Settings
from tests.support.apiserver.client import poll


class RunningOperator:
    """`with RunningOperator(…):` leads (or waits for the Lease) until the end of the block."""

    def __init__(self, settings: Settings, configuration: Configuration, connect: Callable[[str], Backend]) -> None:
        self._arguments = settings, configuration, connect
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self.error: BaseException | None = None
        self.port = self.metrics_port = self.triggers_port = 0

    def __enter__(self) -> "RunningOperator":
        self._thread.start()
        assert self._started.wait(60), "the operator did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.error:
            raise self.error

    def stop(self) -> None:
        """As SIGTERM does: running reconciles end and the Lease is released."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the operator did not stop"

    def kill(self) -> None:
        """Cancelled wherever it is, as far as a process can do that to itself."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60)

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    @property
    def has_reconciled(self) -> bool:
        """Whether it leads and has looked at a model: before that, its silence says nothing."""
        return self.metric("heartops_reconcile_duration_seconds_count") > 0

    def metrics(self) -> str:
        """What an authorized scrape would read."""

        async def exposed() -> str:
            return generate_latest(self._operator.metrics.registry).decode()

        return asyncio.run_coroutine_threadsafe(exposed(), self._loop).result(10)

    def fetch(self, path: str) -> str:
        """/livez or /readyz."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, series: str) -> float:
        """Value of `name{labels}` as Prometheus would read it; 0 when it is absent."""
        lines = (line.rpartition(" ") for line in self.metrics().splitlines())
        return next((float(value) for name, _, value in lines if name == series), 0.0)

    def wait_metric(self, series: str, value: float, seconds: float = 10) -> None:
        """Metrics are set after the status is written."""
        poll(f"{series} is {value:g}", lambda: self.metric(series) == value, seconds)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self.error = error
        finally:
            self._started.set()

    async def _run(self) -> None:
        settings, configuration, connect = self._arguments
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        operator = self._operator = Operator(settings, configuration, connect=connect)
        self._task = asyncio.current_task()
        running = asyncio.create_task(operator.run(self._stop))
        self._task = running
        while not operator.scraped.port and not running.done():  # noqa: ASYNC110  for a moment
            await asyncio.sleep(0.02)
        self.port, self.metrics_port = operator.http.port, operator.scraped.port
        while operator.triggered and not operator.triggered.port and not running.done():  # noqa: ASYNC110  for a moment
            await asyncio.sleep(0.02)
        self.triggers_port = operator.triggered.port if operator.triggered else 0
        self._started.set()
        await running
