"""Compile the locks from pyproject.toml: one per image, one for development, one for uv itself."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")
FLAGS = (
    "pip compile -q --universal --python-version 3.11 --generate-hashes "
    "--no-emit-index-url --no-emit-find-links --no-header --no-annotate"
).split()
LOCKS = {
    "operator": ["--extra", "operator"],
    "serving": ["--extra", "serving"],
    "trainer": ["--extra", "trainer"],
    "mlflow": ["--extra", "mlflow"],
    "dev": ["--all-extras", "--group", "dev"],
}


def compile_lock(name: str, options: list[str]) -> None:
    print(f"» requirements/{name}.txt", flush=True)
    target = HERE / f"{name}.txt"
    subprocess.run([UV, *FLAGS, *options, HERE.parent / "pyproject.toml", "-o", target], check=True)


def pin_uv() -> None:
    """uv installs everything else, so its own lock must be readable by plain pip."""
    version = subprocess.run([UV, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    command = [UV, *FLAGS, "-", "-o", HERE / "uv.txt"]
    subprocess.run(command, check=True, input=f"uv=={version}\n", text=True)


if __name__ == "__main__":
    for name, options in LOCKS.items():
        compile_lock(name, options)
    pin_uv()
