"""Where data may come from, and what a person reads when it may not, or does not."""

import hashlib
import importlib.util
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import trustme
from aiohttp.resolver import ThreadedResolver
from botocore.exceptions import ClientError
from s3fs import S3FileSystem

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import DataAccess
from heart_trainer.data.load import load
from heart_trainer.data.sources import fetch, limits, mounts
from heart_trainer.data.sources.cohort import heart_cohort, in_kaggle_coding
from heart_trainer.data.sources.objects import cause
from heart_trainer.errors import SourceError
from tests.support.trainer.requests import HEART, number, request

ALL = ("http", "https", "s3", "gs", "pvc", "configmap", "builtin")
CONTENT = b"a,b\n" + b"1,2\n" * 100_000


class Site(BaseHTTPRequestHandler):
    """`/STATUS/…`: answers with that status; `/200/cut` stops half-way; every request is recorded."""

    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        status = int(self.path.split("/")[1].split("?")[0])
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/200/elsewhere")
        body = CONTENT if status == 200 else b""
        self.send_header("Content-Length", str(len(body) + (10 if "cut" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Site.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def got(uri: str, *hosts: str, sha256: str | None = None, schemes: tuple[str, ...] = ALL) -> bytes:
    return fetch(Dataset(uri=uri, sha256=sha256), DataAccess(schemes=schemes, hosts=hosts))


def rejection(uri: str, *hosts: str, schemes: tuple[str, ...] = ALL) -> SourceError:
    with pytest.raises(SourceError) as caught:
        got(uri, *hosts, schemes=schemes)
    return caught.value


def test_a_named_host_may_be_internal(site: str) -> None:
    assert got(f"{site}/200/data?version=1", "127.0.0.1") == CONTENT
    assert Site.seen == ["GET /200/data?version=1"], "one request, and nothing of the address lost"


FETCH = """
import hashlib, sys
from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.errors import SourceError
from heart_trainer.data.sources import fetch
try:
    data = fetch(Dataset(uri=sys.argv[1]), DataAccess(schemes=("https",), hosts=("localhost",)))
    print(hashlib.sha256(data).hexdigest())
except SourceError as error:
    print(error.reason, error.permanent, error.message)
"""


@pytest.fixture
def secure_site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A site with TLS, and the file of the authority that vouches for it."""
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://localhost:{server.server_port}/200/data", file
    server.shutdown()
    server.server_close()


def fetched(uri: str, **environment: str) -> str:
    """By a process of its own: who is trusted is read when one starts."""
    command = (sys.executable, "-c", FETCH, uri)
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_https_comes_from_whom_an_authority_vouches_for(secure_site: tuple[str, Path]) -> None:
    uri, authority = secure_site
    assert fetched(uri, SSL_CERT_FILE=str(authority)) == hashlib.sha256(CONTENT).hexdigest()
    rejected = fetched(uri)
    assert rejected.startswith("DatasetUnreachable True")
    assert "certificate" in rejected
    assert "SSL_CERT_FILE" in rejected


def test_redirects_are_not_followed(site: str) -> None:
    error = rejection(f"{site}/302/moved", "127.0.0.1")
    assert error.reason == "DatasetNotAllowed"
    assert error.permanent
    assert "final address" in error.message
    assert Site.seen == ["GET /302/moved"]


@pytest.mark.parametrize(
    ("path", "permanent"),
    [("404/x", True), ("403/x", True), ("410/x", True), ("429/x", False), ("500/x", False), ("503/x", False)],
)
def test_only_failures_that_may_pass_are_tried_again(site: str, path: str, permanent: bool) -> None:
    error = rejection(f"{site}/{path}?token=abcdef", "127.0.0.1")
    assert error.reason == "DatasetUnreachable"
    assert error.permanent is permanent
    assert path[:3] in error.message
    assert "abcdef" not in error.message


def test_a_torn_connection_may_pass(site: str) -> None:
    error = rejection(f"{site}/200/cut", "127.0.0.1")
    assert (error.reason, error.permanent) == ("DatasetUnreachable", False)


def test_nobody_listening_may_pass(site: str) -> None:
    assert rejection("http://127.0.0.1:1/x", "127.0.0.1").permanent is False


def test_an_endless_file_is_cut_off(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.collect, "__defaults__", (100_000,))
    error = rejection(f"{site}/200/data", "127.0.0.1")
    assert error.reason == "DatasetNotAllowed"
    assert "larger than" in error.message


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "[2002:0a00:0001::]",
        "localhost",
        "kubernetes",
        "mlflow.heartops.svc",
        "mlflow.heartops.svc.cluster.local",
        "metadata.google.internal",
        "mlflow.heartops.svc.cluster.local.",
    ],
)
def test_internal_addresses_are_rejected_before_a_connection(host: str) -> None:
    error = rejection(f"http://{host}/x")
    assert (error.reason, error.permanent) == ("DatasetNotAllowed", True)
    assert "internal" in error.message


def test_a_public_name_that_leads_inside_is_rejected_when_connecting(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(site.rsplit(":", 1)[1])

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    assert rejection(f"http://data.example.org:{port}/200/x").reason == "DatasetNotAllowed"
    assert Site.seen == []
    assert got(f"http://data.example.org:{port}/200/x", "*.example.org") == CONTENT, "the administrator vouches for it"


def test_a_list_of_hosts_admits_no_other(site: str) -> None:
    assert "data.example.org" in rejection("https://example.net/x", "data.example.org", "*.uci.edu").message
    assert rejection("https://uci.edu.evil.net/x", "*.uci.edu").reason == "DatasetNotAllowed"
    assert rejection("https://eviluci.edu/x", "*.uci.edu").reason == "DatasetNotAllowed"


def test_a_scheme_that_is_not_allowed_is_rejected(site: str) -> None:
    assert "only https" in rejection(f"{site}/200/x", "127.0.0.1", schemes=("https",)).message
    assert Site.seen == []


def test_the_digest_is_checked_before_anything_is_read(site: str) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert got(f"{site}/200/x", "127.0.0.1", sha256=digest) == CONTENT
    assert got(f"{site}/200/x", "127.0.0.1", sha256=f"sha256:{digest}") == CONTENT
    with pytest.raises(SourceError) as caught:
        got(f"{site}/200/x", "127.0.0.1", sha256="0" * 64)
    assert (caught.value.reason, caught.value.permanent) == ("DatasetDigestMismatch", True)
    assert digest in caught.value.message


def test_mounted_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "ROOT", tmp_path)
    (tmp_path / "pvc/claim/deep").mkdir(parents=True)
    (tmp_path / "pvc/claim/deep/rows.csv").write_bytes(CONTENT)
    config = tmp_path / "configmap/cohort"
    (config / "..data").mkdir(parents=True)  # as the kubelet lays a ConfigMap out
    (config / "..data/rows.csv").write_bytes(CONTENT)
    (config / "rows.csv").symlink_to("..data/rows.csv")
    assert got("pvc://claim/deep/rows.csv") == CONTENT
    assert got("configmap://cohort/rows.csv") == CONTENT
    error = rejection("pvc://claim/absent.csv")
    assert (error.reason, error.permanent) == ("DatasetUnreachable", True)
    assert "No such file" in error.message


def test_nothing_outside_a_volume_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "ROOT", tmp_path)
    (tmp_path / "pvc/claim").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "pvc/claim/link").symlink_to(tmp_path / "secret")
    for uri in ("pvc://claim/link", "pvc://claim/../../secret", "pvc://claim/%2e%2e/%2e%2e/secret"):
        assert rejection(uri).reason == "DatasetNotAllowed"


def test_object_stores_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no driver for gs" in rejection("gs://bucket/key").message
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    error = rejection("s3://bucket/key")
    assert (error.reason, error.permanent) == ("DatasetUnreachable", False)
    assert "(EndpointConnectionError)" in error.message
    S3FileSystem.clear_instance_cache()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = rejection("s3://bucket/key")
    assert (error.reason, error.permanent) == ("DatasetUnreachable", False)
    assert "Put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into the namespace's Secret" in error.message


def answered(code: object) -> OSError:
    error = OSError("a text of the server's")
    error.__cause__ = ClientError({"Error": {"Code": code}}, "HeadObject")  # type: ignore[typeddict-item]
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answered("AuthorizationHeaderMalformed"), "OSError: AuthorizationHeaderMalformed"),
        (answered("301"), "OSError: 301"),
        (answered("<b>a text</b>"), "OSError"),
        (answered(None), "OSError"),
        (OSError("a text"), "OSError"),
    ],
)
def test_of_what_a_store_answers_its_code_alone_is_repeated(error: OSError, said: str) -> None:
    assert cause(error) == said


def test_objects_of_a_store_are_read(bucket: Any) -> None:
    bucket.put_object(Key="data/heart.csv", Body=CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert got("s3://clinic/data/heart.csv", sha256=digest) == CONTENT
    error = rejection("s3://clinic/data/other.csv")
    assert (error.reason, error.permanent) == ("DatasetUnreachable", True)
    assert "does not exist" in error.message
    assert rejection("s3://nobodys/heart.csv").permanent


@pytest.mark.parametrize(
    ("name", "features", "shape", "classes"),
    [
        ("iris", ("sepal_length_cm", "petal_width_cm"), (150, 2), (0, 1, 2)),
        ("breast-cancer", ("mean_radius", "worst_area"), (569, 2), (0, 1)),
        ("wine", ("alcohol", "od280_od315_of_diluted_wines"), (178, 2), (0, 1, 2)),
    ],
)
def test_scikit_learns_own_sets(
    name: str, features: tuple[str, ...], shape: tuple[int, int], classes: tuple[int, ...]
) -> None:
    table = load(request(tuple(map(number, features)), dataset=Dataset(uri=f"builtin://{name}")), {})
    assert table.x.shape == shape
    assert table.classes == classes
    assert not table.synthetic


def test_diabetes_is_a_regression() -> None:
    wanted = request((number("bmi"), number("age")), dataset=Dataset(uri="builtin://diabetes"), task="regression")
    assert load(wanted, {}).task == "regression"


def cohort(options: str = "") -> Dataset:
    # The columns are those of the UCI file without a header: a person changes nothing but the address.
    names = (*(feature.name for feature in HEART), "num")
    return Dataset(uri=f"builtin://heart-synthetic{options}", columns=names, missing_values=("?",))


def test_the_synthetic_cohort_says_so_and_fits_the_real_contract() -> None:
    table = load(request(HEART, Target(name="num", positive_above=0), cohort("?rows=2000&seed=7")), {})
    assert table.synthetic
    assert len(table) == 2000
    assert 0.35 < table.y.mean() < 0.55
    again = load(request(HEART, Target(name="num", positive_above=0), cohort("?rows=2000&seed=7")), {})
    assert again.raw_sha256 == table.raw_sha256


def test_shift_moves_the_named_features_by_so_many_deviations() -> None:
    wanted = Target(name="num", positive_above=0)
    plain = load(request(HEART, wanted, cohort("?rows=4000")), {}).rows
    moved = load(request(HEART, wanted, cohort("?rows=4000&shift=0.5")), {}).rows
    numbers = ["age", "trestbps", "chol", "thalach"]
    effect = ((moved[numbers].mean() - plain[numbers].mean()) / plain[numbers].std()).round(2)
    assert effect.abs().between(0.35, 0.9).all(), effect
    assert abs(moved["fbs"].mean() - plain["fbs"].mean()) < 0.03


@pytest.mark.parametrize("uri", ["builtin://nope", "builtin://iris?rows=3"])
def test_a_wrong_built_in_name_is_explained(uri: str) -> None:
    error = rejection(uri)
    assert error.permanent
    assert "iris" in error.message


@pytest.mark.parametrize("options", ["rows=-1", "rows=x", "shift=nan", "seed=-1", "colour=red", "rows=99999999"])
def test_wrong_options_are_explained(options: str) -> None:
    assert rejection(f"builtin://heart-synthetic?{options}").permanent


def test_features_named_differently_are_missed() -> None:
    with pytest.raises(Exception, match="no column called colour"):
        load(request((Feature(name="colour", type="number"),), dataset=Dataset(uri="builtin://iris")), {})


def test_the_public_row_key_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    wanted = request((number("sepal_length_cm"),), dataset=Dataset(uri="builtin://iris"))
    without = load(wanted, {})
    assert "HEARTOPS_ROW_KEY" in caplog.text
    caplog.clear()
    assert not np.isin(load(wanted, {"HEARTOPS_ROW_KEY": "k"}).keys, without.keys).any()
    assert not caplog.text


def test_the_recipe_of_the_example_and_the_synthetic_cohort_have_one_coding() -> None:
    path = Path(__file__).resolve().parents[4] / "examples/heart-kaggle/recode.py"
    spec = importlib.util.spec_from_file_location("recode", path)
    assert spec
    assert spec.loader
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    cleveland = heart_cohort(200)
    rows = [[str(float(cell)) for cell in row] for row in cleveland.itertuples(index=False)]
    recoded = pd.DataFrame(recipe.recode(rows), columns=recipe.COLUMNS).astype(float)
    pd.testing.assert_frame_equal(recoded, in_kaggle_coding(cleveland).astype(float))
    # The first patient of both files.
    uci = "63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0"
    assert ",".join(next(recipe.recode([uci.split(",")]))) == "63,1,3,145,233,1,0,150,0,2.3,0,0,1,1"
