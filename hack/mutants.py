"""Mutation testing: does a unit test notice when a decision is changed? (`make mutants`)

mutmut changes one operator, constant or argument at a time and runs the tests that reach the function. It expects one
source folder, so each target is laid out in a scratch folder (`build/mutants/TARGET`): the packages below `src`, the
tests beside them. Results stay there: a second run tries only what survived and what changed. `rm -r build/mutants`
starts anew.

Exit code 1: mutants were not tried, a target is below its floor, or `tests/mutants/equivalent.toml` names a mutant that
no longer survives.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
EQUIVALENT = ROOT / "tests" / "mutants" / "equivalent.toml"
SOURCES = ("common/src", "operator/src", "serving/src", "trainer/src")
BESIDE = ("tests", "examples", "crds", "charts")
FLOOR = 95.0
"""Per cent of the mutants that are not equivalent."""
UNTRIED = "not checked"
KILLED = ("killed", "timeout", "segfault", "suspicious", "caught by type check")


@dataclass(frozen=True)
class Target:
    """What is mutated, and the package's own tests that have to notice."""

    mutate: tuple[str, ...]
    tests: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    """Searches at random, which may miss the next time what they notice once; tests of other packages."""
    without: tuple[str, ...] = ()
    """Modules that another target has."""

    def covers(self, file: str) -> bool:
        return file not in self.without and any(fnmatch(file, pattern) for pattern in self.mutate)


PLAN = "heart_operator/plan"
PLAN_TESTS = f"tests/unit/{PLAN}"
PLAN_MODULES = (
    *("actions", "blocked", "check", "claims", "decision", "heartmodel", "jobs", "observed", "obstacles", "quota"),
    *("validate", "versions"),
)
SEARCHES = (
    *("test_state_machine.py", "test_schedule_machine.py", "test_consent_always_holds.py"),
    *("test_analysis_simulation.py", "test_experiment_simulation.py"),
)


def of_plan(name: str, *more: str, without: tuple[str, ...] = ()) -> Target:
    """A package of the plan and its own folder of tests; `more`: others that cover it."""
    tests = tuple(f"{PLAN_TESTS}/{folder}" for folder in (name, *more))
    return Target((f"{PLAN}/{name}/*",), tests, SEARCHES, tuple(f"{PLAN}/{name}/{module}.py" for module in without))


DRIFT_TESTS = "tests/unit/heart_trainer/drift"
TARGETS = {
    "gates": of_plan("gates"),
    "canary": Target(
        tuple(f"{PLAN}/rollout/{name}.py" for name in ("canary", "phases", "steps", "traffic")),
        tuple(f"{PLAN_TESTS}/rollout/test_{name}.py" for name in ("candidate_moves", "experiment_moves")),
    ),
    "rollout": of_plan("rollout", without=("canary", "phases", "steps", "traffic")),
    "analysis": of_plan("analysis"),
    "selection": of_plan("selection"),
    "schedule": of_plan("schedule"),
    "training": of_plan("training"),
    "objects": of_plan("objects"),
    "status": of_plan("status"),
    "federation": of_plan("federation"),
    "plan": Target(
        tuple(f"{PLAN}/{name}.py" for name in PLAN_MODULES), (PLAN_TESTS,), (*SEARCHES, "heart_operator/plan/*/*")
    ),
    "contract": Target(
        ("heart_trainer/data/contract.py", "heart_trainer/data/cells.py"),
        tuple(f"tests/unit/heart_trainer/data/test_{name}.py" for name in ("contract", "contract_messages")),
    ),
    "evaluation": Target(("heart_trainer/evaluation/*",), ("tests/unit/heart_trainer/evaluation",), ("test_leaks.py",)),
    # What reads MLflow and the prediction log needs a trained version for each mutant, and pictures are not asserted.
    "drift": Target(
        tuple(
            f"heart_trainer/drift/{name}.py" for name in ("columns", "decide", "distances", "performance", "statistics")
        ),
        (f"{DRIFT_TESTS}/test_drift.py", f"{DRIFT_TESTS}/test_figures.py"),
    ),
}
UNUSED_PLUGINS = ("cacheprovider", "xdist", "anyio", "schemathesis", "platformdirs")
"""Their hooks would run once for each mutant."""

CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {mutate}
do_not_mutate = {without}
also_copy = {beside}
pytest_add_cli_args = {arguments}
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 3.0
track_dependencies = false
use_git_change_detection = false
"""


@dataclass(frozen=True)
class Mutant:
    """A changed line of a function and what became of it."""

    name: str
    file: str
    status: str
    before: str
    after: str

    @property
    def killed(self) -> bool:
        return self.status in KILLED

    @property
    def function(self) -> str:
        """Name of the function, or Class.method."""
        mangled = self.name.rpartition(".")[2].partition("__mutmut_")[0]
        return mangled.removeprefix("x").strip("_ǁ").replace("ǁ", ".")

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.file, self.function, self.before, self.after


def refresh(source: Path, copy: Path) -> None:
    """Make `copy` equal to `source`; files that did not change keep their time, by which mutmut knows them."""
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for stale in [path for path in copy.rglob("*") if path.is_file() and path.relative_to(copy) not in wanted]:
        stale.unlink()
    for name in wanted:
        target = copy / name
        if not target.exists() or target.read_bytes() != (source / name).read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target)
            target.touch()


def lay_out(work: Path, target: Target) -> None:
    """Fill a target's scratch folder; mutmut's configuration follows the project's own."""
    for source in SOURCES:
        for package in (path for path in (ROOT / source).iterdir() if path.is_dir()):
            refresh(package, work / "src" / package.name)
    for folder in BESIDE:
        refresh(ROOT / folder, work / folder)
    values = {
        "mutate": json.dumps([f"src/{pattern}" for pattern in target.mutate]),
        "without": json.dumps([f"src/{module}" for module in target.without]),
        "beside": json.dumps(BESIDE),
        "tests": json.dumps(target.tests),
        "arguments": json.dumps(
            [
                *(f"--ignore-glob=*/{name}" for name in target.ignore),
                *(word for name in UNUSED_PLUGINS for word in ("-p", f"no:{name}")),
            ]
        ),
    }
    (work / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + CONFIGURATION.format(**values))


def metas(work: Path) -> Iterator[Path]:
    return (work / "mutants" / "src").rglob("*.meta")


def try_survivors_again(work: Path) -> None:
    """Forget what survived the last run: a test may have been added since."""
    for path in metas(work):
        meta = json.loads(path.read_text())
        results = meta["exit_code_by_key"]
        meta["exit_code_by_key"] = {
            name: code if status_by_exit_code[code] in KILLED else None for name, code in results.items()
        }
        path.write_text(json.dumps(meta))


def run(work: Path, only: tuple[str, ...]) -> bool:
    """One process: the machine stays usable, and no timeout is due to the neighbour."""
    environment = {
        **os.environ,
        "HYPOTHESIS_PROFILE": "repeatable",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", "1", *only]
    return subprocess.run(command, cwd=work, env=environment, check=False).returncode == 0


def read(work: Path) -> list[Mutant]:
    found = []
    with contextlib.chdir(work):
        for path in sorted(metas(work)):
            source = path.relative_to(work / "mutants").with_suffix("")
            for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
                status = status_by_exit_code[code]
                survived = status not in (*KILLED, UNTRIED)
                before, after = changed_lines(name, source) if survived else ("", "")
                found.append(Mutant(name, str(source.relative_to("src")), status, before, after))
    return found


def changed_lines(name: str, source: Path) -> tuple[str, str]:
    """The lines that a mutant takes away and those that it puts there, each without indentation."""
    lines = get_diff_for_mutant(name, path=source).splitlines()[2:]
    return tuple(" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")  # type: ignore[return-value]


def same_by_definition(mutant: Mutant) -> str:
    """Why a kind of mutant changes nothing, wherever it occurs; empty for any other."""
    unguarded = [re.sub(r", (strict=\w+)?(?=\))", "", line) for line in (mutant.before, mutant.after)]
    if "strict=True" in mutant.before and unguarded[0] == unguarded[1]:
        return "strict says that the lengths are equal by construction"
    if mutant.after == mutant.before.replace("astype(np.float64)", "astype(None)"):
        return "numpy's type None is float64"
    if mutant.before.startswith("assert ") and assertion(mutant.before) == assertion(mutant.after):
        return "the message of an assertion that only another mistake would fail"
    return ""


def assertion(line: str) -> str:
    """`assert` with its condition, without the message."""
    return line.partition(', "')[0]


def equivalents() -> dict[tuple[str, str, str, str], str]:
    """By mutant, the reason for which no test can notice it."""
    entries = tomllib.loads(EQUIVALENT.read_text()).get("equivalent", []) if EQUIVALENT.exists() else []
    return {(each["file"], each["function"], each["before"], each["after"]): each["reason"] for each in entries}


def report(name: str, target: Target, found: list[Mutant]) -> bool:
    """Print a target's result; whether it is good enough."""
    tried = [mutant for mutant in found if mutant.status != UNTRIED]
    survivors = [mutant for mutant in tried if not mutant.killed]
    known = {key for key in equivalents() if target.covers(key[0])} | {
        mutant.key for mutant in survivors if same_by_definition(mutant)
    }
    unexplained = sorted((mutant for mutant in survivors if mutant.key not in known), key=lambda mutant: mutant.key)
    for mutant in unexplained:
        print(f"{mutant.status}: {mutant.file} {mutant.function}  ({mutant.name})")
        print(f"  - {mutant.before}\n  + {mutant.after}")
    complete = len(tried) == len(found)
    stale = known - {mutant.key for mutant in survivors} if complete else set()
    for key in sorted(stale):
        print(f"tests/mutants/equivalent.toml: does not survive any more, remove it: {key}")
    killed, timeouts = len(tried) - len(survivors), sum(mutant.status == "timeout" for mutant in tried)
    counted = killed + len(unexplained)
    share = 100 * killed / max(counted, 1)
    print(
        f"{name}: {killed} of {counted} mutants killed ({share:.1f}%, {timeouts} by a timeout), "
        f"{len(unexplained)} survived, {len(survivors) - len(unexplained)} equivalent, "
        f"{len(found) - len(tried)} not tried"
    )
    return complete and share >= FLOOR and not stale


def sample(work: Path, count: int) -> tuple[str, ...]:
    """Names of this many mutants that have not been tried, at random: an estimate long before the whole run ends."""
    untried = [
        name
        for path in sorted(metas(work))
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items()
        if code is None
    ]
    return tuple(random.sample(untried, min(count, len(untried))))


def main(arguments: list[str]) -> int:
    """`python -m hack.mutants [TARGET…] [--report] [--sample N] [PATTERN…]`; mutmut's patterns need one target.

    With `--sample` a target's N further mutants are tried; earlier results are kept.
    """
    parser = argparse.ArgumentParser(prog="python -m hack.mutants", description="Mutation tests.")
    parser.add_argument("--report", action="store_true", help="only report what earlier runs found")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants at random that were not tried yet")
    parser.add_argument("words", nargs="*", metavar="TARGET|PATTERN", help=f"targets: {', '.join(TARGETS)}")
    options = parser.parse_args(arguments)
    names = [word for word in options.words if word in TARGETS] or list(TARGETS)
    only = tuple(word for word in options.words if word not in TARGETS)
    good = True
    for name in names:
        if not options.report and not try_target(WORK / name, TARGETS[name], only, options.sample):
            return 1
        good &= report(name, TARGETS[name], read(WORK / name))
    return 0 if good else 1


def try_target(work: Path, target: Target, only: tuple[str, ...], count: int | None) -> bool:
    """Run a target's mutants, or some of them; False if mutmut ended with an error."""
    lay_out(work, target)
    if count is None:
        if not only:
            try_survivors_again(work)
        return run(work, only)
    if not any(metas(work)):
        run(work, ("nothing*",))  # generates the mutants, and ends because none has this name
    chosen = sample(work, count)
    return not chosen or run(work, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
