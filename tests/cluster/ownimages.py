"""The cluster's own images: static binaries on nothing, and the base images that product images start from."""

import os
import re
import tempfile
from pathlib import Path

from . import packages
from .archive import tar_layer, write_archive
from .paths import build_dir, build_key, versions
from .report import say
from .shell import run

STATIC = ("pause", "coredns", "metrics-server", "prometheus-operator", "prometheus-config-reloader")
LEFT_OUT = ("doc", "man", "locale", "info", "lintian")


def reference(name: str) -> str:
    """The name under which the cluster's manifests use one of its own images."""
    return f"heartops/{name}:{build_key()}"


def base_reference(name: str) -> str:
    """The name under which a product image is built on a base image."""
    return f"localhost/heartops/{name}:{build_key()}"


def cluster_archives() -> list[Path]:
    """What every node needs before the first pod starts."""
    return [build_dir() / "images" / f"{name}.tar" for name in (*STATIC, "prometheus")]


def base_archive(name: str) -> Path:
    """The archive of a base image (python-base or debian-base)."""
    return build_dir() / "images" / f"{name}.tar"


def make_cluster_images(target: Path) -> None:
    """Wrap each binary of target/bin into an image of one layer."""
    for name in STATIC:
        _wrap(target, name, {f"bin/{name}": target / "bin" / name})
    prometheus = target / "bin" / "prometheus"
    _wrap(target, "prometheus", {"bin/prometheus": prometheus, **_libraries(prometheus)})
    prometheus.unlink()


def make_base_images(target: Path) -> None:
    """Bootstrap the Debian base images with the machine's own package sources."""
    packages.ensure(versions()["debian"]["image_tools"])
    for name in versions()["images"]:
        _bootstrap(target, name)


def _wrap(target: Path, name: str, files: dict[str, Path]) -> None:
    images = target / "images"
    images.mkdir(parents=True, exist_ok=True)
    layer = images / f"{name}.layer"
    tar_layer(layer, files)
    config = {"Entrypoint": [f"/bin/{name}"], "Env": ["PATH=/bin"], "User": "65534"}
    write_archive(images / f"{name}.tar", reference(name), [layer], config)
    layer.unlink()
    say(f"image {name} made")


def _libraries(binary: Path) -> dict[str, Path]:
    """The shared libraries a binary asks for (the C library and its loader), by their path in the image."""
    found = re.findall(r"(/\S+) \(0x", run("ldd", binary))
    return {path.lstrip("/"): Path(path).resolve() for path in found}


def _bootstrap(target: Path, name: str) -> None:
    """A Debian root without documents, translations and package lists, as an image of one layer."""
    say(f"bootstrapping base image {name} …")
    suite = versions()["debian"]["suite"]
    wanted = ",".join(versions()["images"][name]["packages"])
    exclude = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    with tempfile.TemporaryDirectory() as scratch:
        layer = Path(scratch) / "root.tar"
        run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={wanted}", *exclude,
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--customize-hook=rm -rf $1/etc/apt/sources.list $1/etc/resolv.conf $1/etc/hostname $1/var/cache/apt/*.bin",
            "--customize-hook=rm -f $1/usr/lib/python3*/EXTERNALLY-MANAGED",
            suite, layer, *packages.sources(suite), env=_clean_environment())
        images = target / "images"
        images.mkdir(parents=True, exist_ok=True)
        config = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
                  "Cmd": ["bash"]}
        write_archive(images / f"{name}.tar", base_reference(name), [layer], config)
    say(f"base image {name}: {(images / f'{name}.tar').stat().st_size >> 20} MiB")


def _clean_environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
