"""Building product images with buildah, cached by the content of what goes in."""

import os
import re
import tempfile
from pathlib import Path

from hack.cluster import cleanup, machine, ownimages, packages
from hack.cluster.build import build_bases
from hack.cluster.lock import locked
from hack.cluster.paths import cache_dir, digest, versions
from hack.cluster.report import Problem, say
from hack.cluster.shell import run

CONTEXT_LINE = re.compile(r"^# context: (.+)$", re.M)


def build_image(name: str, dockerfile: Path, context: Path, base: str, arguments: dict[str, str]) -> tuple[Path, str]:
    """Build an image unless its content was built before; return (archive, reference)."""
    if not dockerfile.is_file():
        raise Problem(f"There is no Dockerfile {dockerfile}: name an existing one with --dockerfile.")
    build_bases()
    base = ownimages.base_reference(base) if base in versions()["images"] else base
    files = context_files(dockerfile, context)
    key = content_key(dockerfile, context, files, base, arguments)
    reference = f"heartops/{name}:dev-{key}"
    archive = cache_dir() / "images" / f"{name}-{key}.tar"
    if not _is_built(archive):  # asked before the lock, too: a finished image need not wait for another's build
        with locked("image"):
            if not _is_built(archive):
                packages.ensure(versions()["debian"]["image_tools"])
                _clear_store()
                _build(reference, dockerfile, context, files, base, arguments, archive)
                _drop_old(name)
                return archive, reference
    say(f"image {reference} is up to date")
    return archive, reference


def _is_built(archive: Path) -> bool:
    """Whether the archive is there (it gets its name when it is complete); marks it as used."""
    if not archive.exists():
        return False
    archive.touch()
    return True


def context_files(dockerfile: Path, context: Path) -> list[Path]:
    """The files that go into an image: those that git does not ignore, below the paths of the Dockerfile's
    line `# context: path path …` (all of the context when there is no such line)."""
    found = CONTEXT_LINE.search(dockerfile.read_text())
    paths = found[1].split() if found else ["."]
    for path in paths:
        if not (context / path).exists():
            raise Problem(f"{dockerfile} names the context path {path}, which does not exist: correct the line.")
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths, cwd=context)
    files = {context / name for name in listing.split("\0") if name}
    return sorted(path for path in files if path.is_file())


def content_key(dockerfile: Path, context: Path, files: list[Path], base: str, arguments: dict[str, str]) -> str:
    """A hash of everything that decides what the image becomes."""
    parts = [dockerfile.read_bytes(), base.encode(), repr(sorted(arguments.items())).encode()]
    for path in files:
        mode = "x" if os.access(path, os.X_OK) else "-"
        parts += [f"{path.relative_to(context)} {mode}".encode(), path.read_bytes()]
    return digest(*parts)


def _buildah(*words: object) -> str:
    """Run buildah on a storage of our own in the cache, which leaves no mount behind."""
    store, scratch = cache_dir() / "buildah", cache_dir() / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return run(
        "buildah",
        "--root",
        store / "root",
        "--runroot",
        store / "run",
        "--storage-driver",
        "overlay",
        "--storage-opt",
        "overlay.skip_mount_home=true",
        *words,
        env={**os.environ, "TMPDIR": str(scratch)},
    )


def _build(
    reference: str,
    dockerfile: Path,
    context: Path,
    files: list[Path],
    base: str,
    arguments: dict[str, str],
    archive: Path,
) -> None:
    """Build on `base` in place of the image that the Dockerfile's first FROM names."""
    _provide_base(base)
    with tempfile.TemporaryDirectory(dir=cache_dir() / "tmp") as scratch:
        staged = _stage(Path(scratch) / "context", context, files)
        say(f"building image {reference} …")
        flags = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        _buildah(
            "build",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--pull-never",
            "--layers",
            "--quiet",
            "--from",
            base,
            *machine.lend(Path(scratch)),
            *flags,
            "--tag",
            reference,
            "--file",
            dockerfile.resolve(),
            staged,
        )
        archive.parent.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        _buildah("push", "--quiet", reference, f"docker-archive:{partial}:{reference}")
        partial.rename(archive)
    cleanup.unmount_below(cache_dir() / "buildah")
    say(f"image {reference}: {archive.stat().st_size >> 20} MiB")


def _provide_base(base: str) -> None:
    """Have our own base image in buildah's storage."""
    own = {ownimages.base_reference(name): name for name in versions()["images"]}
    if base in own and base not in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        _buildah("pull", "--quiet", f"docker-archive:{ownimages.base_archive(own[base])}")


def _clear_store() -> None:
    """Remove what a build left that was interrupted (we hold the lock: no other build runs)."""
    _buildah("rm", "--all")
    cleanup.unmount_below(cache_dir() / "buildah")


def _stage(target: Path, context: Path, files: list[Path]) -> Path:
    """A copy of just the context files: what is not hashed cannot get into the image."""
    for path in files:
        copy = target / path.relative_to(context)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode)
    return target


def _drop_old(name: str, keep: int = 3) -> None:
    """Keep the newest archives of an image, and of its builds those that have an archive, with their layers."""
    archives = sorted((cache_dir() / "images").glob(f"{name}-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-keep]:
        path.unlink()
    built = _buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()
    if stale := without_archive(name, built, {path.stem for path in archives[-keep:]}):
        _buildah("rmi", "--force", *stale)


def without_archive(name: str, built: list[str], archives: set[str]) -> list[str]:
    """References of the image `name` (localhost/heartops/NAME:dev-KEY) whose archive (NAME-KEY) is gone."""
    ours = f"localhost/heartops/{name}:dev-"
    return [each for each in built if each.startswith(ours) and f"{name}-{each.removeprefix(ours)}" not in archives]
