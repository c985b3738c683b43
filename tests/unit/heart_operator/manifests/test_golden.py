"""Every manifest, as it stands in golden/.

After a wanted change: `HEARTOPS_GOLDEN=write pytest tests/unit/manifests`, then read the diff.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("HEARTOPS_GOLDEN") == "write"


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def files(case) -> dict[str, str]:
    """YAML by file name."""
    return {
        f"{built['kind']}-{built['metadata']['name']}.yaml".lower(): yaml.dump(
            built, Dumper=Plain, sort_keys=False, width=120
        )
        for built in case.everything()
    }


@pytest.mark.parametrize("name", ["smallest", "full", "federated", "distributed", "own_trainer"])
def test_manifests_are_the_golden_ones(name, request):
    built = files(request.getfixturevalue(name))
    folder = GOLDEN / name
    if WRITE:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, text in built.items():
            (folder / file).write_text(text)
    assert built == {file.name: file.read_text() for file in folder.iterdir()}
