"""What the release workflow decides: whether a tag may be released, the chart's image references, the release notes.

`python3 -m hack.release check TAG` · `… pin FOLDER SOURCE` · `… notes TAG FOLDER`, where FOLDER has a file for each
image that holds its reference with its digest. Standard library only.
"""

import argparse
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VALUES = Path("charts/heartops/values.yaml")
CHART = Path("charts/heartops/Chart.yaml")
PINNED = re.compile(r"[^\s@]+:[^\s@:/]+@sha256:[0-9a-f]{64}")
IMAGE_LINE = re.compile(r"^  (?P<name>\w+): (?P<reference>\S+)$", re.MULTILINE)


class NotReleasable(SystemExit):
    """The tag and the tree contradict each other, or an image has no digest."""


def stated_versions(root: Path) -> dict[str, str]:
    """The version that each place in the tree states, by place."""
    chart = (root / CHART).read_text()
    found = {"pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]}
    for field in ("version", "appVersion"):
        found[f"{CHART}: {field}"] = re.findall(rf"^{field}: (\S+)$", chart, re.MULTILINE)[0].strip('"')
    for name, reference in image_references((root / VALUES).read_text()).items():
        found[f"{VALUES}: images.{name}"] = reference.rpartition(":")[2]
    return found


def image_references(values: str) -> dict[str, str]:
    """The references below `images:` in the chart's values, by name."""
    return {line["name"]: line["reference"] for line in IMAGE_LINE.finditer(_images_block(values))}


def _images_block(values: str) -> str:
    """The lines from `images:` to the next key of the top level."""
    block = re.search(r"^images:\n(?:  .*\n)+", values, re.MULTILINE)
    if block is None:
        raise NotReleasable(f"{VALUES} has no block `images:`")
    return block[0]


def check(tag: str, root: Path = ROOT) -> None:
    """NotReleasable unless every place states the tag's version and the changelog has a section for it."""
    version = tag.removeprefix("v")
    wrong = [f"{place} states {each}" for place, each in stated_versions(root).items() if each != version]
    if wrong:
        raise NotReleasable(f"The tag is {tag}, but " + "; ".join(wrong) + ". Correct them, commit and tag again.")
    section(version, root)


def section(version: str, root: Path = ROOT) -> str:
    """The changelog's text about a version, without its heading."""
    text = (root / "CHANGELOG.md").read_text()
    found = re.search(rf"^## \[{re.escape(version)}\].*\n(?P<text>(?:(?!## ).*\n)*)", text, re.MULTILINE)
    if found is None:
        raise NotReleasable(f"CHANGELOG.md has no section [{version}]: rename `Unreleased`, with the date.")
    return found["text"].strip()


def read_pins(folder: Path) -> dict[str, str]:
    """References with digests, by image, as the jobs that pushed the images left them."""
    pins = {path.name: path.read_text().strip() for path in sorted(folder.iterdir())}
    loose = [f"{name} ({reference})" for name, reference in pins.items() if not PINNED.fullmatch(reference)]
    if loose:
        raise NotReleasable(f"Without a digest: {', '.join(loose)}. Expected registry/name:tag@sha256:….")
    return pins


def pin(values: str, pins: Mapping[str, str]) -> str:
    """The chart's values with every image by digest; NotReleasable if an image has none."""
    names = image_references(values)
    if names.keys() != pins.keys():
        raise NotReleasable(f"The chart has the images {sorted(names)}, but {sorted(pins)} were pushed.")
    block = _images_block(values)
    return values.replace(block, IMAGE_LINE.sub(lambda line: f"  {line['name']}: {pins[line['name']]}", block))


def described(chart: str, pins: Mapping[str, str], source: str) -> str:
    """Chart.yaml with what Artifact Hub shows of a release: its images by digest, and where it comes from.

    The chart's annotations are its last block.
    """
    for name, reference in pins.items():
        chart = re.sub(rf"(- name: {name}\n +image: )\S+", lambda found, to=reference: found[1] + to, chart)
    pages = {"Documentation": "docs/README.md", "Limits": "docs/limits.md", "Security": "SECURITY.md"}
    links = "".join(f"    - name: {name}\n      url: {source}/blob/main/{page}\n" for name, page in pages.items())
    return f"home: {source}\nsources: [{source}]\n{chart}  artifacthub.io/links: |\n{links}"


def notes(version: str, pins: Mapping[str, str], root: Path = ROOT) -> str:
    """The release's text: the changelog's section, the digests, and where to read how to verify them."""
    rows = "\n".join(f"| {name} | `{reference}` |" for name, reference in pins.items())
    verify = "How to verify signatures, provenance and SBOMs: docs/security.md, *Verify a release*."
    return f"{section(version, root)}\n\n### Images\n\n| image | reference |\n|---|---|\n{rows}\n\n{verify}\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m hack.release")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("tag")
    pinning = commands.add_parser("pin")
    pinning.add_argument("folder", type=Path)
    pinning.add_argument("source", help="address of the repository")
    noting = commands.add_parser("notes")
    noting.add_argument("tag")
    noting.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "check":
        check(options.tag)
    elif options.command == "pin":
        pins = read_pins(options.folder)
        (ROOT / VALUES).write_text(pin((ROOT / VALUES).read_text(), pins))
        (ROOT / CHART).write_text(described((ROOT / CHART).read_text(), pins, options.source))
    else:
        print(notes(options.tag.removeprefix("v"), read_pins(options.folder)))


if __name__ == "__main__":
    main()
