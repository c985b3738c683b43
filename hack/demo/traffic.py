"""Requests for a rollout: without traffic its analysis has nothing to judge, and waits."""

import re
import subprocess
import threading

from hack.cluster.report import say
from hack.demo.place import MODEL, NAMESPACE, Place

RATE, LONGEST = 20, "20m"
"""Requests per second, and when they end at the latest."""
SUMMARY_SECONDS = 30


class Traffic:
    """`kubectl heart load` in the background: started once, stopped with its summary."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Send requests from now on; a second call changes nothing."""
        if self._process is None:
            command = f"kubectl heart load {MODEL} -n {NAMESPACE} --rate {RATE} --for {LONGEST}"
            say(f"sending requests, so that the analysis has something to judge: {command}")
            self._process = self._place.open_heart(*command.split()[2:])

    def stop(self) -> None:
        """End the requests and show what became of them."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()  # SIGINT would be ignored below a shell's background job
        killer = threading.Timer(SUMMARY_SECONDS, process.kill)
        killer.start()
        output, _ = process.communicate()
        killer.cancel()
        for line in summary(output):
            say(f"  load     | {line}")


def summary(output: str) -> list[str]:
    """The lines after the progress; all of them where there is no summary, as after an error."""
    lines = output.splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"\d+ requests in ", line)]
    return lines[starts[-1] :] if starts else lines
