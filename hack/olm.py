"""The bundle for the Operator Lifecycle Manager (OLM), from what the chart renders: `python -m hack.olm` writes olm/.

Of kustomize/base it takes the operator's Deployment and rights into the ClusterServiceVersion, and what OLM can create
besides. OLM has no place for NetworkPolicies and admission policies: they stay with chart and kustomize.
"""

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from hack.release import image_references

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "olm"
CHART = ROOT / "charts" / "heartops"
SERVICE_ACCOUNT = "heartops"
BESIDES = ("ConfigMap", "Service", "ClusterRole")
"""Kinds that a bundle may have beside the ClusterServiceVersion and the CRDs."""
CHANNEL = "alpha"
LABELS = {
    "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
    "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
    "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
    "operators.operatorframework.io.bundle.package.v1": "heartops",
    "operators.operatorframework.io.bundle.channels.v1": CHANNEL,
    "operators.operatorframework.io.bundle.channel.default.v1": CHANNEL,
}
DESCRIPTION = """\
HeartOps trains, gates, rolls out and serves tabular models that are declared as HeartModel resources.

* A training runs in a Job and logs to MLflow; gates decide on its measured quality, with confidence intervals.
* A new version starts as a canary. Its errors, latency and predictions are compared with the stable version's; a bad
  one is taken back.
* RetrainSchedules retrain by cron, on drift and on falling quality.

**Before the first model**: the ConfigMap `heartops-runtimes` in the operator's namespace names your MLflow
(`trackingUri`) and the images of models' pods. NetworkPolicies and the admission policy for commands are not part of
this bundle: apply them from `kustomize/base`.
"""
Manifest = dict[str, Any]


def build() -> dict[str, str]:
    """The bundle's files by path."""
    rendered = [each for each in yaml.safe_load_all((ROOT / "kustomize/base/operator.yaml").read_text()) if each]
    objects = [each for each in rendered if each["kind"] in BESIDES and not is_the_operators(each, rendered)]
    crds = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    files = {"manifests/heartops.clusterserviceversion.yaml": csv(rendered, crds)}
    files |= {f"manifests/{crd['metadata']['name']}.crd.yaml": crd for crd in crds}
    files |= {f"manifests/{each['metadata']['name']}.{each['kind'].lower()}.yaml": plain(each) for each in objects}
    files["metadata/annotations.yaml"] = {"annotations": LABELS}
    texts = {f"bundle/{path}": yaml.safe_dump(content, sort_keys=False) for path, content in files.items()}
    return texts | {"bundle.Dockerfile": dockerfile()}


def csv(rendered: list[Manifest], crds: list[Manifest]) -> Manifest:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (deployment,) = (each for each in rendered if each["kind"] == "Deployment")
    spec = {
        "displayName": "HeartOps",
        "description": DESCRIPTION,
        "version": chart["version"],
        "maturity": CHANNEL,
        "minKubeVersion": "1.30.0",
        "icon": [
            {"base64data": base64.b64encode((FOLDER / "icon.svg").read_bytes()).decode(), "mediatype": "image/svg+xml"}
        ],
        "provider": {"name": "The HeartOps authors"},
        "maintainers": [{"name": "The HeartOps authors", "email": "maintainers@heartops.dev"}],
        "links": [{"name": "MLflow", "url": "https://mlflow.org"}],
        "keywords": chart["keywords"],
        "installModes": [
            {"type": mode, "supported": mode == "AllNamespaces"}
            for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
        ],
        "install": {
            "strategy": "deployment",
            "spec": {
                "clusterPermissions": [permissions(rendered, "ClusterRoleBinding", "ClusterRole")],
                "permissions": [permissions(rendered, "RoleBinding", "Role")],
                "deployments": [
                    {
                        "name": deployment["metadata"]["name"],
                        "label": plain(deployment)["metadata"]["labels"],
                        "spec": deployment["spec"],
                    }
                ],
            },
        },
        "customresourcedefinitions": {"owned": [owned(crd) for crd in crds]},
        "relatedImages": [
            {"name": name, "image": image}
            for name, image in image_references((CHART / "values.yaml").read_text()).items()
            if name not in ("mlflow", "postgres")
        ],
    }
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"heartops.v{chart['version']}",
            "namespace": "placeholder",
            "annotations": annotations(chart, deployment),
            "labels": {
                f"operatorframework.io/{each}": "supported" for each in ("arch.amd64", "arch.arm64", "os.linux")
            },
        },
        "spec": spec,
    }


def annotations(chart: Manifest, deployment: Manifest) -> dict[str, str]:
    examples = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    return {
        "alm-examples": json.dumps(examples, indent=2),
        "capabilities": chart["annotations"]["artifacthub.io/operatorCapabilities"],
        "categories": "AI/Machine Learning",
        "containerImage": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "description": chart["description"],
        "support": "The HeartOps authors",
    }


def bound(rendered: list[Manifest], binding: str) -> list[str]:
    """Names of the roles that bindings of this kind give to the operator's account."""
    return [
        each["roleRef"]["name"]
        for each in rendered
        if each["kind"] == binding and any(subject["name"] == SERVICE_ACCOUNT for subject in each["subjects"])
    ]


def permissions(rendered: list[Manifest], binding: str, role: str) -> Manifest:
    names = bound(rendered, binding)
    rules = [
        rule
        for each in rendered
        if each["kind"] == role and each["metadata"]["name"] in names
        for rule in each["rules"]
    ]
    return {"serviceAccountName": SERVICE_ACCOUNT, "rules": rules}


def is_the_operators(document: Manifest, rendered: list[Manifest]) -> bool:
    """A role whose rules are in the ClusterServiceVersion."""
    return document["kind"] == "ClusterRole" and document["metadata"]["name"] in bound(rendered, "ClusterRoleBinding")


def plain(document: Manifest) -> Manifest:
    """Without namespace, which OLM chooses, and without the label of another installer."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "namespace"}
    labels = {key: value for key, value in metadata.get("labels", {}).items() if not key.endswith("/managed-by")}
    return {**document, "metadata": metadata | {"labels": labels}}


def owned(crd: Manifest) -> Manifest:
    """As the console lists the kind."""
    (version,) = (each for each in crd["spec"]["versions"] if each["storage"])
    kind = crd["spec"]["names"]["kind"]
    description = version["schema"]["openAPIV3Schema"].get("description") or kind
    name = crd["metadata"]["name"]
    return {"name": name, "version": version["name"], "kind": kind, "displayName": kind, "description": description}


def dockerfile() -> str:
    labels = "".join(f"LABEL {name}={value}\n" for name, value in LABELS.items())
    head = "# The bundle's image: docker build -f olm/bundle.Dockerfile olm\nFROM scratch\n"
    return f"{head}{labels}COPY bundle/manifests /manifests/\nCOPY bundle/metadata /metadata/\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.olm", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    only_check = parser.parse_args().check
    wanted = build()
    there = {str(path.relative_to(FOLDER)): path for path in (FOLDER / "bundle").rglob("*") if path.is_file()}
    different = [
        name for name, text in wanted.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    superfluous = sorted(there.keys() - wanted.keys())
    if only_check:
        for name in (*different, *superfluous):
            print(f"olm/{name} is not what the chart renders: run `python -m hack.olm`", file=sys.stderr)
        return 1 if different or superfluous else 0
    for name in different:
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(wanted[name])
    for name in superfluous:
        there[name].unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
