#!/bin/sh
# What every pipeline of this folder runs. Usage: deliver.sh validate|staging|production|rollback
# MODEL_FILE: the HeartModel. NAME: its name. STAGING, PRODUCTION: namespaces. TIMEOUT: longest wait (30m).
# Exit codes: 0 done; 1 rejected or failed, with the reason on stderr; 3 timeout.
set -eu
: "${MODEL_FILE:=heartmodel.yaml}" "${NAME:=heart-disease}" "${STAGING:=clinic-staging}" "${PRODUCTION:=clinic}" "${TIMEOUT:=30m}"

deliver() { # NAMESPACE GOAL
    kubectl apply --namespace "$1" -f "$MODEL_FILE"
    if kubectl heart wait "$NAME" --namespace "$1" --for "$2" --timeout "$TIMEOUT"; then
        return 0
    else
        code=$?
    fi
    kubectl heart status "$NAME" --namespace "$1" || true
    kubectl heart logs "$NAME" --namespace "$1" --training --tail 50 || true
    return $code
}

case "${1:-}" in
validate) # the API server checks the contract and every rule of the spec; nothing is stored
    kubectl apply --namespace "$STAGING" --dry-run=server -f "$MODEL_FILE"
    ;;
staging) # trains, gates and rolls out; a failed gate fails the pipeline with its figures
    deliver "$STAGING" serving
    kubectl heart predict "$NAME" --namespace "$STAGING" --example
    ;;
production)
    deliver "$PRODUCTION" serving
    ;;
rollback) # the previous version serves again; the one that served is rejected
    kubectl heart rollback "$NAME" --namespace "$PRODUCTION" --reason "${REASON:-rolled back by the pipeline}"
    ;;
*)
    echo "usage: $0 validate|staging|production|rollback" >&2
    exit 2
    ;;
esac
