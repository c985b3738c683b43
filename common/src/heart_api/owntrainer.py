"""The pod of a trainer of one's own: what operator and trainer image have to agree on (docs/own-trainer.md)."""

PREPARE, OWN = "prepare", "own-trainer"
"""Names of the containers before the one that judges: ours, then the approved trainer's."""

LOADER, PROGRAM, SCRIPT, LIBRARIES, NOTHING = "ld.so", "bin/python3", "launch.py", "libraries", "nothing"
"""Files of the launcher's folder: an interpreter of its own. NOTHING is an empty file."""
REPORT = "report.json"
"""Among the results: how the program ended."""
MAX_FILE_BYTES = 1 << 30
"""Greatest file that the program can write."""


def launcher_command(folder: str) -> tuple[str, ...]:
    """What starts the launcher in `folder`: its loader with its own libraries, whatever the image holds."""
    loader = (f"{folder}/{LOADER}", "--inhibit-cache", "--library-path", f"{folder}/{LIBRARIES}")
    return (*loader, f"{folder}/{PROGRAM}", "-I", "-S", "-B", f"{folder}/{SCRIPT}")


def launcher_limits(timeout_seconds: int, results: str) -> tuple[str, ...]:
    """The launcher's arguments before the program's command; `timeout_seconds` of the whole Job."""
    return (str(program_seconds(timeout_seconds)), str(MAX_FILE_BYTES), f"{results}/{REPORT}")


def program_seconds(timeout_seconds: int) -> int:
    """Of the Job's time the program gets three quarters; the rest is for reading rows and for judging."""
    return max(timeout_seconds * 3 // 4, 1)
