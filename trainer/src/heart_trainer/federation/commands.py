"""`python -m heart_trainer site …`, and the coordinator's end of a federated training."""

import argparse
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from heart_api.federation import (
    PASSING,
    PROGRESS_PORT,
    FederatedTrainingRequest,
    SiteCheckOutcome,
    SiteCheckRequest,
    SiteFailure,
    SiteOutcome,
    SiteRequest,
    contract_sha256,
)
from heart_api.federationsite import FederationSiteSpec
from heart_api.handover import EXIT_PERMANENT, Env
from heart_trainer.errors import NoRowKey, TrainerError
from heart_trainer.federation import keys
from heart_trainer.federation.check import check_site
from heart_trainer.federation.exchange import Site
from heart_trainer.federation.federate import Federation
from heart_trainer.federation.files import write_private
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.messages import refusal
from heart_trainer.federation.progress import Board, publish
from heart_trainer.federation.serve_site import Monotonic, read_holding, serve
from heart_trainer.outcome import LIMIT

ABOUT = "Answer a federated training with sums of a site's rows. Rows stay here (docs/federated.md)."
PLAIN = {"missing": "is missing", "string_pattern_mismatch": "is not of the form that docs/federated.md shows"}
CONSENT = {name: FederationSiteSpec.model_fields[name].default for name in ("minimum_rows", "minimum_cell")}
"""What a FederationSite has where it says nothing."""
SUPERLINK = "127.0.0.1:8000"
SUPERLINK_VARIABLE = "HEARTOPS_SUPERLINK"
PROGRESS_VARIABLE = "HEARTOPS_PROGRESS_PORT"


class BadSite(Exception):
    """What is wrong with a site's file or environment, for people."""


def run_site(words: Sequence[str], say: Callable[[str], None]) -> int:
    """`site`, `site --file FILE`, `site check`, `site key FILE`: the exit code."""
    parser = argparse.ArgumentParser(prog="python -m heart_trainer site", description=ABOUT)
    about = "run: answer one training (default); check: read the data without any network; key: make a key"
    parser.add_argument("action", nargs="?", choices=("run", "check", "key"), default="run", help=about)
    parser.add_argument("path", nargs="?", type=Path, help="key: the new file")
    parser.add_argument("--file", type=Path, help="YAML file of a site that no operator starts")
    parser.add_argument("--data", type=Path, help="local file in place of the dataset that --file names")
    options = parser.parse_args(words)
    try:
        if options.action == "key":
            return _new_key(options.path)
        return _check(options, os.environ) if options.action == "check" else _run(options, os.environ, say)
    except (BadSite, keys.BadKey) as problem:
        print(problem, file=sys.stderr)
        return EXIT_PERMANENT


def _new_key(path: Path | None) -> int:
    if path is None:
        raise BadSite("name a file: python -m heart_trainer site key FILE")
    if path.exists():
        raise BadSite(f"{path} is there already: another key would make the site a stranger to its coordinators")
    data = keys.new_key()
    try:
        write_private(path, data)
    except OSError as error:
        raise BadSite(f"{path} cannot be written ({error.strerror}): name a file in a folder of your own") from error
    print(keys.public_text(keys.read_key(data)))
    return 0


def _run(options: argparse.Namespace, environ: Mapping[str, str], say: Callable[[str], None]) -> int:
    request, key, secret = _site(options, environ)
    _need_flower()
    say(f"site {request.namespace}/{request.name} of {request.model_namespace}/{request.model_name}")
    held = read_holding(request, secret, options.data)
    say(held.message if isinstance(held, SiteFailure) else f"{len(held)} rows pass the data contract")
    from heart_trainer.federation.flower.node import SuperNode  # noqa: PLC0415  only the federation's image has Flower

    try:
        connection = SuperNode(request.coordinator, request.certificate, key)
        outcome = serve(Holder(request, held), connection, Monotonic(), say)
    except ssl.SSLError:
        outcome = SiteOutcome(failure=refusal("CoordinatorUntrusted", "the certificate that was given is none"))
    except KeyboardInterrupt:  # the pod is stopped; the coordinator has been told
        outcome = SiteOutcome(failure=refusal("Withdrawn", "the site was stopped before the coordinator was done"))
    _tell(environ, outcome)
    if outcome.failure is None:
        say(f"done: {outcome.exchanges} requests answered")
        return 0
    print(f"{outcome.failure.reason}: {outcome.failure.message}", file=sys.stderr)
    return 1 if outcome.failure.reason in PASSING else EXIT_PERMANENT


def _need_flower() -> None:
    if find_spec("flwr") is None:
        raise BadSite("Flower is not installed here: run a site from the image heartops/federation (docs/federated.md)")


def _site(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[SiteRequest, keys.Key, str]:
    """(request, node key, secret for the digest of the data). Raises BadSite or BadKey."""
    if options.file:
        return read_site_file(options.file)
    request = _from_environment(SiteRequest, environ, Env.SITE_REQUEST)
    secret = _row_key(environ, request.namespace)
    return request, keys.node_key(secret, request.namespace, request.name), secret


def read_site_file(path: Path) -> tuple[SiteRequest, keys.Key, str]:
    """A SiteRequest as YAML, with `keyFile` and `certificateFile`. Raises BadSite or BadKey."""
    try:
        found: Any = yaml.safe_load(path.read_text())
        assert isinstance(found, dict)
        folder = path.parent
        key = (folder / str(found.pop("keyFile", ""))).read_bytes()
        if "certificateFile" in found:
            found["certificate"] = (folder / str(found.pop("certificateFile"))).read_text()
    except (AssertionError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSite(f"{path} is no YAML mapping") from error
    except OSError as error:
        raise BadSite(
            f"{error.filename}: cannot be read ({error.strerror}); {path} names keyFile and certificateFile"
        ) from error
    return _written_request(path, found), keys.read_key(key), key.hex()


def _written_request(path: Path, found: dict[str, Any]) -> SiteRequest:
    """A person wrote it: a word that is not known may be a bound that would not hold."""
    known = {name for field, one in SiteRequest.model_fields.items() for name in (field, one.alias)}
    if surplus := sorted(str(name) for name in found.keys() - known):
        raise BadSite(f"{path}: there is no field {', '.join(surplus)}; docs/federated.md has an example")
    try:
        request = SiteRequest.model_validate(_with_defaults(found))
    except ValidationError as error:
        raise BadSite(f"{path}: {_fields(error)}") from error
    own = contract_sha256(request.task, request.target, request.features)
    if request.contract_sha256 not in ("", own):
        raise BadSite(f"{path}: contractSha256 is that of another task, target or features; those of this file: {own}")
    return request


def _with_defaults(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in CONSENT.items() if to_camel(name) not in found} | found


def _fields(error: ValidationError) -> str:
    found = error.errors(include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {PLAIN.get(one['type'], one['msg'])}" for one in found)


def _from_environment(kind: type[Any], environ: Mapping[str, str], variable: str) -> Any:
    if not environ.get(variable):
        raise BadSite(f"name a site's file (--file), or set {variable}")
    try:
        return kind.model_validate_json(environ[variable])
    except ValidationError as error:
        raise BadSite(f"{variable}: {_fields(error)}") from error


def _row_key(environ: Mapping[str, str], namespace: str) -> str:
    found = environ.get(Env.ROW_KEY)
    if not found:
        raise BadSite(NoRowKey(namespace).message)
    return found


def _check(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if options.file:
        site, key, _ = read_site_file(options.file)
        request = SiteCheckRequest.model_validate(
            {
                "namespace": site.namespace,
                "name": site.name,
                "dataset": site.dataset,
                "models": [_as_model(site)],
                "access": site.access,
            }
        )
    else:
        request = _from_environment(SiteCheckRequest, environ, Env.SITE_CHECK_REQUEST)
        key = keys.node_key(_row_key(environ, request.namespace), request.namespace, request.name)
    outcome = check_site(request, keys.public_text(key), options.data)
    _tell(environ, outcome)
    print(outcome.model_dump_json(by_alias=True, indent=2))
    if outcome.failure:
        print(f"{outcome.failure.reason}: {outcome.failure.message}", file=sys.stderr)
        return 1 if outcome.failure.reason in PASSING else EXIT_PERMANENT
    return _judged(site, outcome) if options.file else 0


def _judged(site: SiteRequest, outcome: SiteCheckOutcome) -> int:
    """What an operator would say of the data: the exit code."""
    for problem in outcome.problems:
        print(": ".join(filter(None, ("ContractMismatch", problem.column, problem.message))), file=sys.stderr)
    few = not outcome.problems and outcome.rows < site.minimum_rows
    if few:
        print(f"TooFewRows: fewer than minimumRows ({site.minimum_rows}): a training gets no answer", file=sys.stderr)
    return EXIT_PERMANENT if few or outcome.problems else 0


def _as_model(site: SiteRequest) -> dict[str, Any]:
    return {
        "namespace": site.model_namespace,
        "name": site.model_name,
        "target": site.target,
        "features": site.features,
        "task": site.task,
    }


def _tell(environ: Mapping[str, str], outcome: SiteOutcome | SiteCheckOutcome) -> None:
    if path := environ.get(Env.TERMINATION_LOG):
        Path(path).write_bytes(outcome.model_dump_json(by_alias=True, exclude_none=True).encode()[:LIMIT])


@contextmanager
def open_federation(
    request: FederatedTrainingRequest, environ: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Federation]:
    """The sites of a training, through the SuperLink beside this container. Raises TrainerError."""
    from heart_trainer.federation.flower.link import open_fleet  # noqa: PLC0415  only the federation's image has Flower

    folder, address = environ.get(Env.FEDERATION_DIR), environ.get(SUPERLINK_VARIABLE, SUPERLINK)
    if not folder:
        raise TrainerError("TrainingFailed", f"{Env.FEDERATION_DIR} is not set", permanent=True)
    board = Board()
    server = publish(board, int(environ.get(PROGRESS_VARIABLE, PROGRESS_PORT)))
    try:
        with open_fleet(Path(folder), address, _public_keys(request)) as (fleet, nodes):
            sites = [Site(one.namespace, one.name, nodes[f"{one.namespace}/{one.name}"]) for one in request.sites]
            federation = Federation(request, fleet, Monotonic(), sites)

            def report(step: str) -> None:
                say(step)
                board.write(step, federation.exchanges, federation.results)

            federation.report = report
            yield federation
    finally:
        server.shutdown()
        server.server_close()


def _public_keys(request: FederatedTrainingRequest) -> dict[str, bytes]:
    found = {}
    for site in request.sites:
        title = f"{site.namespace}/{site.name}"
        try:
            found[title] = keys.public_bytes(site.public_key)
        except keys.BadKey as error:
            raise TrainerError("TrainingFailed", f"public key of site {title}: {error}", permanent=True) from error
    return found
