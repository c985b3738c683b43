#!/bin/sh
# Renders the operator's part of the chart into kustomize/base/; needs helm on the PATH.
set -eu
cd "$(dirname "$0")/.."
target="${1:-kustomize/base}"
helm template heartops charts/heartops --namespace heartops-system --kube-version 1.34 \
    --set mlflow.enabled=false --set mlflow.trackingUri=https://mlflow.mlflow.svc:5000 \
    --set runtimeSecret.create=false --set monitoring.serviceMonitor=false \
    --set monitoring.dashboards.enabled=false \
    | sed -e '/^ *helm.sh\/chart: /d' -e 's/managed-by: Helm/managed-by: kustomize/' >"$target/operator.yaml"
