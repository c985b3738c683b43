"""What the API server was asked: its audit log."""

import json
from pathlib import Path

from heart_api.names import FIELD_MANAGER
from tests.support.apiserver.client import Resource

LONGEST_LINE = 1 << 20


class Audit:
    """Of one account, from the moment on at which this is made. Each line is parsed once: tests look often."""

    def __init__(self, log: Path, account: str) -> None:
        self._log = log
        self._account = account
        self._read = end_of_lines(log)
        self._lines: list[Resource] = []

    def writes(self, namespace: str) -> list[str]:
        """Every mutating request that operators sent about a namespace, `verb resource name`, Leases left out."""
        return [
            f"{line['verb']} {line['objectRef']['resource']} {line['objectRef'].get('name', '')}"
            for line in self._requests()
            if line.get("userAgent") == FIELD_MANAGER
            and line["verb"] not in ("get", "list", "watch")
            and line["objectRef"].get("namespace") == namespace
            and line["objectRef"]["resource"] != "leases"
        ]

    def reads(self, namespace: str) -> set[tuple[str, str, str]]:
        """(verb, resource, name) of what operators read of a namespace by name, whoever they are."""
        ours = (line for line in self._requests() if line.get("userAgent") == FIELD_MANAGER and "objectRef" in line)
        found = [line for line in ours if line["objectRef"].get("namespace") == namespace and line["verb"] == "get"]
        return {(line["verb"], line["objectRef"]["resource"], line["objectRef"].get("name", "")) for line in found}

    def forbidden(self) -> list[str]:
        """Requests that the account's roles did not allow."""
        ours = (line for line in self._requests() if line["user"]["username"] == self._account)
        return [f"{line['verb']} {line['requestURI']}" for line in ours if line["responseStatus"].get("code") == 403]

    def used(self) -> set[tuple[str, str]]:
        """(verb, resource) of everything that the account did."""
        ours = [line for line in self._requests() if line["user"]["username"] == self._account and "objectRef" in line]
        applied = [line for line in ours if line["verb"] == "patch" and line["responseStatus"]["code"] == 201]
        # The API server asks for the right to create too where an apply makes an object.
        made = {("create", resource_of(line["objectRef"])) for line in applied}
        return made | {(line["verb"], resource_of(line["objectRef"])) for line in ours}

    def _requests(self) -> list[Resource]:
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._lines += (json.loads(line) for line in whole.splitlines())
        return self._lines


def end_of_lines(log: Path) -> int:
    """The byte behind the last whole line: the API server may be in the middle of one."""
    with log.open("rb") as file:
        begin = max(0, file.seek(0, 2) - LONGEST_LINE)
        file.seek(begin)
        return begin + file.read().rfind(b"\n") + 1


def resource_of(reference: Resource) -> str:
    """As RBAC names it: `deployments/scale`."""
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
