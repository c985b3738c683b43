"""Runtime profiles: read from a mounted ConfigMap, and read again when it changes.

File: a mapping of profile name to profile (`api/profile.py`), as YAML.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from heart_api.profile import RuntimeProfile

log = logging.getLogger(__name__)

RELOAD_SECONDS = 5.0
Profiles = Mapping[str, RuntimeProfile]


class ProfilesError(Exception):
    """The file is missing or wrong; the message names the file, the profile and the field."""


def parse_profiles(text: str, source: str) -> dict[str, RuntimeProfile]:
    """Profiles of a YAML document; raises ProfilesError."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ProfilesError(f"{source} is not YAML: {error}") from None
    if not isinstance(data, dict) or not data:
        raise ProfilesError(f"{source} must map names to runtime profiles, e.g. `default: {{images: …}}`")
    return {str(name): parse_profile(str(name), value, source) for name, value in data.items()}


def parse_profile(name: str, value: object, source: str) -> RuntimeProfile:
    try:
        return RuntimeProfile.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or name}: {item['msg']}" for item in error.errors())
        raise ProfilesError(f"{source}, profile {name}: {problems}") from None


class ProfilesFile:
    """The profiles now in force."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises ProfilesError."""
        self._path = path
        self._text = self._read()
        self.current: Profiles = parse_profiles(self._text, str(path))

    def refresh(self) -> bool:
        """Read the file again; true when the profiles in force changed. A bad file changes nothing and is logged."""
        try:
            text = self._read()
            if text == self._text:
                return False
            self._text = text
            self.current = parse_profiles(text, str(self._path))
        except ProfilesError as error:
            log.error("The former runtime profiles stay in force: %s", error)
            return False
        return True

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Call `changed` after every change, for ever. (A kubelet renews a mounted ConfigMap within about a minute.)"""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            if self.refresh():
                log.info("The runtime profiles changed: %s", ", ".join(sorted(self.current)))
                await changed()

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise ProfilesError(f"cannot read {self._path}: {error.strerror}; set HEARTOPS_PROFILES") from None
