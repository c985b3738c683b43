#!/bin/sh
# What every pipeline of this folder runs. Usage: deliver.sh STEP, in this order:
#   lint validate data train gate release scan staging production, and rollback when it is needed.
# VERSION: what `rollback` goes back to.
# MODEL_FILE: the HeartModel. NAME: its name. STAGING, PRODUCTION: namespaces. TIMEOUT: longest wait (30m). RELEASE: the file that `release` writes.
# Exit codes: 0 done; 1 rejected or failed, with the reason on stderr; 3 timeout.
set -eu
: "${MODEL_FILE:=heartmodel.yaml}" "${NAME:=heart-disease}" "${STAGING:=clinic-staging}" "${PRODUCTION:=clinic}" "${TIMEOUT:=30m}" "${RELEASE:=release.txt}"

reach() { # NAMESPACE GOAL [OPTIONS]: waits, and says why it is not reached
    namespace=$1 goal=$2
    shift 2
    if kubectl heart wait "$NAME" --namespace "$namespace" --for "$goal" --timeout "$TIMEOUT" "$@"; then
        return 0
    else
        code=$?
    fi
    kubectl heart status "$NAME" --namespace "$namespace" || true
    kubectl heart logs "$NAME" --namespace "$namespace" --training --tail 50 || true
    return $code
}

case "${1:-}" in
lint) # the file is YAML and a HeartModel
    kubectl apply --namespace "$STAGING" --dry-run=client -f "$MODEL_FILE"
    ;;
validate) # the API server checks the contract and every rule of the spec; nothing is stored
    kubectl apply --namespace "$STAGING" --dry-run=server -f "$MODEL_FILE"
    ;;
data) # the rows keep the contract: its Job reads them first, and fails with the column or the value's row
    kubectl apply --namespace "$STAGING" -f "$MODEL_FILE"
    ;;
train)
    reach "$STAGING" trained
    ;;
gate | staging) # measured, gated, rolled out; an example is answered
    reach "$STAGING" serving
    kubectl heart predict "$NAME" --namespace "$STAGING" --example
    ;;
release) # the proven version becomes one of production's registry: the same bytes, and what was measured of them
    kubectl heart copy "$NAME" --namespace "$STAGING" --to "$PRODUCTION" --quiet > "$RELEASE"
    echo "production's version $(cat "$RELEASE")"
    ;;
scan) # the images that serve: SCANNER is a command that takes one
    kubectl get pods --namespace "$STAGING" -l "heartops.dev/model=$NAME,app.kubernetes.io/component=serving" \
        -o 'jsonpath={.items[*].spec.containers[*].image}' | tr ' ' '\n' | sort -u | while read -r image; do
        ${SCANNER:-trivy image --exit-code 1 --severity CRITICAL} "$image"
    done
    ;;
production) # the copy is measured on production's data, gated, and rolled out step by step
    version=$(cat "$RELEASE")
    kubectl patch --local -f "$MODEL_FILE" --type merge -p "{\"spec\":{\"version\":$version}}" -o yaml |
        kubectl apply --namespace "$PRODUCTION" -f -
    reach "$PRODUCTION" serving --version "$version"
    ;;
rollback) # production names its version, so going back is naming another: VERSION, or the one that served before
    : "${VERSION:=$(kubectl get heartmodel "$NAME" --namespace "$PRODUCTION" -o 'jsonpath={.status.previous.version}')}"
    if [ -z "$VERSION" ]; then
        echo "no previous version is warm any more: set VERSION to one of \`kubectl heart history $NAME -n $PRODUCTION\`" >&2
        exit 1
    fi
    kubectl patch heartmodel "$NAME" --namespace "$PRODUCTION" --type merge -p "{\"spec\":{\"version\":$VERSION}}"
    reach "$PRODUCTION" serving --version "$VERSION"
    ;;
*)
    echo "usage: $0 lint|validate|data|train|gate|release|scan|staging|production|rollback" >&2
    exit 2
    ;;
esac
