"""Starts somebody else's program where it can harm nobody, and reports how it ended.

    launch.py SECONDS BYTES REPORT PROGRAM [ARGUMENT …]

Before the program starts, this process gives up the network for good: a seccomp filter, which every child inherits and
none can lift, refuses all sockets but local ones. The program gets a greatest file size (BYTES), a greatest number of
processes and a deadline. What it prints is passed on; its last lines, exit code and time are in the JSON file REPORT.

Runs by an interpreter that is copied into the program's container: the standard library alone, and nothing is imported
after the start.
"""

import contextlib
import ctypes
import json
import os
import platform
import resource
import selectors
import signal
import subprocess
import sys
import time

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
AF_UNIX = 1
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Kernel's name of the architecture → (AUDIT_ARCH, number of the call `socket`)."""
IO_URING_SETUP = 425
"""It could open sockets without the call `socket`."""
X32 = 0x40000000
"""Calls of the x32 interface have numbers from here on."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 13
"""Return values of the filter; REFUSE is EACCES."""
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
CALL, ARCH, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in the kernel's struct seccomp_data."""

SHOWN_BYTES = 1 << 20
"""Of the program's output; the rest is not passed on, so that no log fills the node."""
MOST_PROCESSES = 2048
"""Processes and threads of the program. The kernel counts those of its user on the whole node, and not root's."""
KEPT_LINES, KEPT_BYTES = 12, 2000
INSIDE = ("LD_PRELOAD", "LD_AUDIT")
"""Emptied for this process, so that no library of the image is loaded into it; the program starts without them."""


class Rule(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("rules", ctypes.POINTER(Rule)))


def main(seconds: str, most_bytes: str, report: str, *command: str) -> int:
    deny_network()
    limit_processes()
    limit_files(int(most_bytes))
    started = time.monotonic()
    ending = run(command, started + float(seconds))
    write_report(report, {**ending, "seconds": round(time.monotonic() - started, 1)})
    return 0


def deny_network() -> None:
    """No socket but local ones from now on, in this process and all that it starts. Raises OSError."""
    rules = network_filter(*MACHINES[platform.machine()])
    table = (Rule * len(rules))(*(Rule(*rule) for rule in rules))
    program = Program(len(rules), table)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"the kernel refuses a seccomp filter ({os.strerror(code)})")


def network_filter(arch: int, socket: int) -> list[tuple[int, int, int, int]]:
    """Instructions (code, jump if true, jump if false, operand); jumps count from the next one."""
    return [
        (LOAD, 0, 0, ARCH),
        (EQUAL, 0, 7, arch),  # another architecture's calls have other numbers
        (LOAD, 0, 0, CALL),
        (AT_LEAST, 5, 0, X32),
        (EQUAL, 4, 0, IO_URING_SETUP),
        (EQUAL, 0, 2, socket),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]


def limit_processes() -> None:
    """So many more than its user has, that no program can take the node's process numbers from everybody else."""
    most = own_tasks() + MOST_PROCESSES
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def own_tasks() -> int:
    """Processes of this user that are seen here, with their threads."""
    found = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it may end meanwhile
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                found += len(os.listdir(f"/proc/{pid}/task"))
    return found


def limit_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(command: tuple[str, ...], deadline: float) -> dict[str, object]:
    """The program until it ends or its time is up, with all that it has started."""
    environment = {name: value for name, value in os.environ.items() if name not in INSIDE}
    try:
        child = subprocess.Popen(  # noqa: S603  the program that an administrator approved
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return {"exitCode": 127, "lastLines": f"{command[0]} cannot be started: {error.strerror}"}
    signal.signal(signal.SIGTERM, lambda *_: stop_and_exit(child))
    output = Output()
    late = not follow(child, output, deadline)
    end(child)
    return {"exitCode": child.wait(), "timedOut": late, "lastLines": output.last_lines()}


def follow(child: "subprocess.Popen[bytes]", output: "Output", deadline: float) -> bool:
    """Pass its output on until it has ended; False: its time was up first."""
    assert child.stdout
    stream = child.stdout.fileno()
    os.set_blocking(stream, False)
    with selectors.DefaultSelector() as waiting:
        ended = os.pidfd_open(child.pid)
        waiting.register(ended, selectors.EVENT_READ)
        waiting.register(stream, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ready = [key.fd for key, _ in waiting.select(left)]
            if stream in ready and not output.read(stream):
                waiting.unregister(stream)
            elif ready == [ended]:  # whatever it wrote has been read
                return True
    return False


def end(child: "subprocess.Popen[bytes]") -> None:
    """Kill it and what it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def stop_and_exit(child: "subprocess.Popen[bytes]") -> None:
    end(child)
    os._exit(143)


class Output:
    """What the program prints: passed on up to a bound, and its end kept."""

    def __init__(self) -> None:
        self._shown, self._tail = 0, b""

    def read(self, stream: int) -> bool:
        """What is there now; False: there will be no more."""
        data = os.read(stream, 1 << 16)
        self._tail = (self._tail + data)[-KEPT_BYTES:]
        if data and self._shown < SHOWN_BYTES:
            self._shown += len(data)
            os.write(1, data)
            if self._shown >= SHOWN_BYTES:
                os.write(1, b"\n(launch: no more of its output is shown)\n")
        return bool(data)

    def last_lines(self) -> str:
        lines = self._tail.decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-KEPT_LINES:])


def write_report(path: str, report: dict[str, object]) -> None:
    """In place of anything that the program may have put there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(target, "w", encoding="utf-8") as file:
        json.dump(report, file)


def files_in_use() -> dict[str, object]:
    """What an interpreter needs to run this module elsewhere: `copy_launcher` asks for it."""
    modules = sorted({path for module in list(sys.modules.values()) if (path := getattr(module, "__file__", None))})
    with open("/proc/self/maps") as maps:
        mapped = {line.split(maxsplit=5)[5].strip() for line in maps if len(line.split(maxsplit=5)) == 6}
    libraries = sorted(path for path in mapped if ".so" in os.path.basename(path) and path not in modules)
    return {
        "program": os.readlink("/proc/self/exe"),
        "libraries": libraries,
        "standard": os.path.dirname(os.__file__),
        "modules": modules,
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["--files-in-use"]:
        print(json.dumps(files_in_use()))
    else:
        sys.exit(main(*sys.argv[1:]))
