"""The commands and their options."""

import argparse
import json
import sys
from pathlib import Path

from hack.cluster import adapter, cgroups, cleanup, images, policies, processes, store
from hack.cluster.build import (
    build_alertmanager,
    build_bases,
    build_basic,
    build_extras,
    build_for_api,
    build_full,
    build_gateway,
    build_object_store,
    build_policies,
    build_queueing,
)
from hack.cluster.cluster import API_ONLY, BASIC, FULL, read_state, up
from hack.cluster.lock import locked
from hack.cluster.paths import DEFAULT_NAME, Cluster, bin_dir
from hack.cluster.report import Problem, say


def main() -> int:
    """Run one command; a Problem becomes one sentence and exit code 1."""
    options = _parser().parse_args()
    try:
        return options.run(options) or 0
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


def _build(options: argparse.Namespace) -> None:
    if options.gateway:
        build_gateway()
    elif options.alertmanager:
        build_alertmanager()
    elif options.network_policies:
        build_policies()
    elif options.queueing:
        build_queueing()
    elif options.object_store:
        build_object_store()
    elif options.extras:
        build_extras()
    elif options.api:
        build_for_api()
    elif options.basic:
        build_basic()
    else:
        build_full()
        build_bases()


def _up(options: argparse.Namespace) -> None:
    mode = API_ONLY if options.control_plane_only else BASIC if options.no_monitoring else FULL
    up(Cluster(options.name), mode, controllers=not options.no_controllers, wait=not options.no_wait)


def _down(options: argparse.Namespace) -> int:
    cluster = Cluster(options.name)
    with locked(f"cluster-{cluster.name}"):
        cleanup.take_down(cluster)
    return _verify(options)


def _verify(options: argparse.Namespace) -> int:
    found = cleanup.leftovers(Cluster(options.name))
    for line in found:
        print(line)
    say(f"cluster {options.name}: {len(found) or 'no'} leftovers")
    return 1 if found else 0


def _load(options: argparse.Namespace) -> None:
    store.load(_state(options)["containerd_socket"], [Path(name) for name in options.archives])


def _enforce(options: argparse.Namespace) -> None:
    cluster, state = Cluster(options.name), _state(options)
    if options.off:
        policies.relax(cluster)
    else:
        policies.enforce(cluster, state["pod_subnet"])


def _adapter(options: argparse.Namespace) -> None:
    adapter.install(Cluster(options.name), Path(_state(options)["containerd_socket"]))


def _freeze(options: argparse.Namespace) -> None:
    processes.freeze(Cluster(options.name), options.daemons, options.seconds)


def _image(options: argparse.Namespace) -> None:
    arguments = dict(pair.split("=", 1) for pair in options.build_arg)
    archive, reference = images.build_image(
        options.name, Path(options.dockerfile), Path(options.context), options.base_image, arguments
    )
    print(archive)
    print(reference)


def _status(options: argparse.Namespace) -> None:
    cluster = Cluster(options.name)
    state = _state(options)
    if state["mode"] != API_ONLY:
        state["memory_mib"] = cgroups.memory_bytes(cluster.cgroup) >> 20
    print(json.dumps(state, indent=2))


def _logs(options: argparse.Namespace) -> None:
    for path in sorted(Cluster(options.name).logs.glob("*.log")):
        print(f"== {path}")
        print("\n".join(path.read_text(errors="replace").splitlines()[-options.lines :]))


def _state(options: argparse.Namespace) -> dict:
    state = read_state(Cluster(options.name))
    if not state:
        raise Problem(f"Cluster {options.name} is not up: run `python3 -m hack.cluster up --name {options.name}`.")
    return state


def _kubeconfig(options: argparse.Namespace) -> None:
    print(_state(options)["kubeconfig"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m hack.cluster", description="A real one-node cluster.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: object, text: str, named: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        if named:
            added.add_argument("--name", default=DEFAULT_NAME, help=f"the cluster's name ({DEFAULT_NAME})")
        return added

    making = command("build", _build, "make binaries and base images (cached)", named=False)
    parts = making.add_mutually_exclusive_group()
    parts.add_argument("--api", action="store_true", help="what the api tests need; needs no root")
    parts.add_argument("--basic", action="store_true", help="what a cluster without monitoring needs; no base images")
    parts.add_argument("--gateway", action="store_true", help="only the gateway controller of some api tests")
    parts.add_argument("--alertmanager", action="store_true", help="only the Alertmanager of some api tests")
    parts.add_argument("--network-policies", action="store_true", help="only what `enforce` starts")
    parts.add_argument("--queueing", action="store_true", help="only Kueue, JobSet and Kubeflow Trainer")
    parts.add_argument("--object-store", action="store_true", help="only the server of buckets of some unit tests")
    parts.add_argument("--extras", action="store_true", help="only prometheus-adapter, and the checks that tests run")
    starting = command("up", _up, "start a cluster and wait until everything is ready")
    starting.add_argument("--no-monitoring", action="store_true", help="without metrics-server and Prometheus")
    starting.add_argument("--control-plane-only", action="store_true", help="etcd, API server, controllers; no node")
    starting.add_argument("--no-controllers", action="store_true", help="with it: not even the controllers")
    starting.add_argument(
        "--no-wait", action="store_true", help="return once the add-ons are applied, before they are ready"
    )
    command("down", _down, "stop a cluster and remove all of it")
    command("verify-clean", _verify, "list what a cluster left behind; exit code 1 if anything")
    command("kubeconfig", _kubeconfig, "print the kubeconfig's path")
    command("status", _status, "print the state file and the memory used")
    command("logs", _logs, "print the end of every daemon's log").add_argument("--lines", type=int, default=15)
    freezing = command("freeze", _freeze, "freeze daemons for a while, then let them continue")
    freezing.add_argument("daemons", nargs="+", help="e.g. etcd kube-apiserver")
    freezing.add_argument("--seconds", type=float, default=20)
    enforcing = command("enforce", _enforce, "enforce NetworkPolicies, which the network plugin does not")
    enforcing.add_argument("--off", action="store_true", help="stop it")
    command("load", _load, "import image archives into the node").add_argument("archives", nargs="+")
    command("adapter", _adapter, "add prometheus-adapter, for autoscaling on predictions, to a cluster with monitoring")
    command("clean-cache", lambda _options: cleanup.remove_cache(), "delete everything that is cached", named=False)
    command("tools", lambda _options: print(bin_dir()), "print the folder of kubectl, helm, promtool …", named=False)
    building = command("image", _image, "build a product image; prints archive and reference", named=False)
    building.add_argument("name")
    building.add_argument("--dockerfile", required=True)
    building.add_argument("--context", default=".")
    building.add_argument("--base-image", default="python-base", help="python-base, debian-base or any reference")
    building.add_argument("--build-arg", action="append", default=[], metavar="KEY=VALUE")
    return parser
