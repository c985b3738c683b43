#!/bin/sh
# Renders the chart into kustomize/; needs helm on the PATH. `sh kustomize/render.sh DIR` writes below DIR instead.
set -eu
cd "$(dirname "$0")/.."
command -v helm >/dev/null || { echo "render.sh needs helm on the PATH" >&2; exit 1; }
target="${1:-kustomize}"
mkdir -p "$target/base" "$target/with-mlflow" "$target/components/monitoring"

render() { # FILE OPTION…: kustomize sets other images, and no release of Helm manages the objects
    file="$1"
    shift
    helm template heartops charts/heartops --namespace heartops-system --kube-version 1.34 --skip-tests "$@" \
        | sed -e '/^ *helm.sh\/chart: /d' -e 's/managed-by: Helm/managed-by: kustomize/' >"$target/$file"
}

without_monitoring="--set monitoring.serviceMonitor=false --set monitoring.dashboards.enabled=false"
# shellcheck disable=SC2086  two options each
render base/operator.yaml $without_monitoring --set runtimeSecret.create=false --set mlflow.enabled=false \
    --set mlflow.trackingUri=https://mlflow.mlflow.svc:5000
# shellcheck disable=SC2086
render with-mlflow/heartops.yaml $without_monitoring
render components/monitoring/monitoring.yaml --set monitoring.serviceMonitor=true \
    --show-only templates/servicemonitors.yaml --show-only templates/alerts.yaml --show-only templates/dashboards.yaml
