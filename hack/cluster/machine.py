"""Settings of this machine that an image build mounts read-only; none of them end up in an image."""

import configparser
import io
import os
from pathlib import Path

from hack.cluster import packages
from hack.cluster.paths import versions

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
BUNDLE_SETTINGS = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def lend(scratch: Path) -> list[str]:
    """buildah's flags that mount pip's settings, the certificates and apt's sources of this machine.

    Names of the machine's registries and proxies are so in no Dockerfile and in no image. (Proxy variables
    are passed by buildah itself, for the time of the build.)
    """
    lent = {BUNDLE: _bundle()}
    for inside, text in (("/etc/apt/sources.list", _apt_sources()), ("/etc/pip.conf", pip_settings(dict(os.environ)))):
        copy = scratch / Path(inside).name
        copy.write_text(text)
        lent[inside] = str(copy)
    for folder in os.environ.get("PIP_FIND_LINKS", "").split():
        if Path(folder).is_dir():
            lent[folder] = folder
    return [word for inside, outside in lent.items() if outside for word in ("--volume", f"{outside}:{inside}:ro")]


def pip_settings(environment: dict[str, str]) -> str:
    """One pip.conf of the machine's own files and the PIP_* variables, with the lent certificates."""
    merged = configparser.ConfigParser(interpolation=None)
    home = Path(environment.get("HOME", "/root"))
    merged.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"])
    if not merged.has_section("global"):
        merged.add_section("global")
    for name, value in environment.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            merged.set("global", name[4:].lower().replace("_", "-"), value)
    merged.set("global", "cert", BUNDLE)
    text = io.StringIO()
    merged.write(text)
    return text.getvalue()


def _bundle() -> str | None:
    """The file with the certificates that this machine trusts."""
    named = [os.environ[name] for name in BUNDLE_SETTINGS if os.environ.get(name)]
    return next((path for path in [*named, BUNDLE] if Path(path).is_file()), None)


def _apt_sources() -> str:
    return "\n".join(packages.sources(versions()["debian"]["image_suite"])) + "\n"
