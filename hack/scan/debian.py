"""Debian packages of an image for which Debian's release or its security archive has an update, as apt itself says.

apt runs with a scratch folder in place of the root directory: the image's package status, its keyring, and its own
package sources (those of this machine where the image has none). Nothing is installed.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hack.cluster.packages import sources
from hack.sbom.imagefiles import ImageFiles
from hack.scan.findings import Finding, ScanFailed

STATUS, KEYRING = "var/lib/dpkg/status", "usr/share/keyrings/debian-archive-keyring"
FOLDERS = ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial")
UPGRADE = re.compile(r"^(\S+?)/(\S+) (\S+) \w+ \[upgradable from: (\S+)\]", re.MULTILINE)
"""Package, the suites that have its newest version, that version, the installed one: a line of `apt list`."""
SECONDS = 180


class DebianScan:
    """Keeps apt's package lists between images of the same sources: they are downloaded once."""

    def __init__(self, scratch: Path) -> None:
        self._root = scratch
        self._fetched = ""

    def scan(self, name: str, image: ImageFiles) -> list[Finding]:
        """Pending security updates; empty for an image without Debian packages. Raises ScanFailed."""
        if STATUS not in image.files:
            return []
        for folder in FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        self._write(STATUS, image.files[STATUS])
        self._refresh(image)
        return list(read_upgrades(name, self._apt("apt", "list", "--upgradable")))

    def _refresh(self, image: ImageFiles) -> None:
        text = source_lines(image, str(self._write("keyring.gpg", keyring_of(image))))
        if text != self._fetched:
            suffix = "sources" if text.startswith("Types:") else "list"
            for old in (self._root / "etc/apt").glob("sources.list.d/*"):
                old.unlink()
            self._write(f"etc/apt/sources.list.d/image.{suffix}", text.encode())
            self._apt("apt-get", "update", "-o", "APT::Update::Error-Mode=any")
            self._fetched = text

    def _write(self, path: str, content: bytes) -> Path:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def _apt(self, program: str, *words: str) -> str:
        settings = {
            "Dir": self._root,
            "Dir::State::status": self._root / STATUS,
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
            "Acquire::Languages": "none",
            "Apt::Cmd::Disable-Script-Warning": "true",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        command = [program, "--quiet=2", *options, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except FileNotFoundError:
            raise ScanFailed("apt was not found: scan on Debian or Ubuntu") from None
        except subprocess.TimeoutExpired:
            raise ScanFailed(
                f"{program} {words[0]} took longer than {SECONDS} s: is the package archive reachable?"
            ) from None
        if done.returncode:
            raise ScanFailed(f"{program} {words[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        return done.stdout


def keyring_of(image: ImageFiles) -> bytes:
    """Whose signatures the image's apt accepts. Raises ScanFailed."""
    for suffix in ("pgp", "gpg"):
        if content := image.files.get(f"{KEYRING}.{suffix}"):
            return content
    raise ScanFailed("the image holds no keyring of Debian's archive: nothing could verify the package lists")


def source_lines(image: ImageFiles, keyring: str) -> str:
    """Where the image's packages come from, in one of apt's two formats, with the keyring to verify them."""
    given = next(
        (text for path, text in sorted(image.files.items()) if path.startswith("etc/apt/sources.list.d/")), b""
    )
    if given:
        return re.sub(r"(?m)^Signed-By:.*$", f"Signed-By: {keyring}", re.sub(r"(?m)^#.*\n", "", given.decode()))
    lines = sources(codename(image))
    return "\n".join(line.replace("deb ", f"deb [signed-by={keyring}] ", 1) for line in lines) + "\n"


def codename(image: ImageFiles) -> str:
    """The Debian release: `trixie`. Raises ScanFailed."""
    text = image.files.get("usr/lib/os-release", image.files.get("etc/os-release", b"")).decode()
    found = re.search(r'^VERSION_CODENAME="?(\w+)', text, re.MULTILINE)
    if not found:
        raise ScanFailed("the image does not say which release of Debian it is (os-release)")
    return found[1]


def read_upgrades(image: str, text: str) -> Iterator[Finding]:
    """Updates in the output of `apt list --upgradable`, by the suite that has them.

    Those of `stable` count like those of `stable-security`: a point release takes security updates in, and the security
    archive drops them then; nothing else but grave faults is corrected in a stable release.
    """
    for package, suites, newest, installed in UPGRADE.findall(text):
        found = suites.split(",")
        suite = next((suite for suite in found if suite.endswith("-security")), found[0])
        yield Finding(image, package, installed, suite, newest)
