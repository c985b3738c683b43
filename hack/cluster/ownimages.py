"""The cluster's own images: static binaries on nothing, and the base images that product images start from."""

import os
import tempfile
from pathlib import Path

from hack.cluster import packages
from hack.cluster.archive import tar_layer, write_archive
from hack.cluster.paths import base_dir, build_dir, images_dir, versions
from hack.cluster.report import say
from hack.cluster.shell import run

BASIC = ("pause", "coredns")
MONITORING = ("metrics-server", "prometheus-operator", "prometheus-config-reloader", "prometheus")
BESIDE = {"prometheus": ("promtool",)}  # as in the upstream image; tests run it in the pod
LEFT_OUT = ("doc", "man", "locale", "info", "lintian")


def reference(name: str) -> str:
    """The name under which the cluster's manifests use one of its own images."""
    return f"heartops/{name}:{images_dir().name}"


def base_reference(name: str) -> str:
    """The name under which a product image is built on a base image."""
    return f"localhost/heartops/{name}:{base_dir().name}"


def cluster_archives(monitoring: bool) -> list[Path]:
    """What a node needs before the first pod starts."""
    return [images_dir() / f"{name}.tar" for name in (*BASIC, *(MONITORING if monitoring else ()))]


def base_archive(name: str) -> Path:
    """The archive of a base image (python-base or debian-base)."""
    return base_dir() / f"{name}.tar"


def make_basic_images(target: Path) -> None:
    """Images that every node runs."""
    _wrap(target, BASIC)


def make_monitoring_images(target: Path) -> None:
    """Images of the monitoring add-ons."""
    _wrap(target, MONITORING)


def _wrap(target: Path, names: tuple[str, ...]) -> None:
    """Make an image of one layer from each binary that runs in a pod."""
    for name in names:
        layer = target / f"{name}.layer"
        files = {f"bin/{file}": build_dir() / "bin" / file for file in (name, *BESIDE.get(name, ()))}
        tar_layer(layer, files)
        config = {"Entrypoint": [f"/bin/{name}"], "Env": ["PATH=/bin"], "User": "65534"}
        write_archive(target / f"{name}.tar", reference(name), [layer], config)
        layer.unlink()


def make_base_images(target: Path) -> None:
    """Bootstrap the Debian base images with the machine's own package sources."""
    packages.ensure(versions()["debian"]["image_tools"])
    for name in versions()["images"]:
        _bootstrap(target, name)


def _bootstrap(target: Path, name: str) -> None:
    """A Debian root without documents, translations and package lists, as an image of one layer."""
    say(f"bootstrapping base image {name} …")
    suite = versions()["debian"]["image_suite"]
    wanted = ",".join(versions()["images"][name]["packages"])
    exclude = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    with tempfile.TemporaryDirectory() as scratch:
        layer = Path(scratch) / "root.tar"
        run(
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={wanted}",
            *exclude,
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--customize-hook=rm -rf $1/etc/apt/sources.list $1/etc/resolv.conf $1/etc/hostname $1/var/cache/apt/*.bin",
            "--customize-hook=rm -f $1/usr/lib/python3*/EXTERNALLY-MANAGED",
            suite,
            layer,
            *packages.sources(suite),
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        config = {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
            "Cmd": ["bash"],
        }
        write_archive(target / f"{name}.tar", base_reference(name), [layer], config)
    say(f"base image {name}: {(target / f'{name}.tar').stat().st_size >> 20} MiB")
