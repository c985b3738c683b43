#!/bin/sh
# Runs in a mount namespace of its own: what the kubelet and containerd mount or write at fixed paths
# stays in the cluster's folders, and every mount ends with the last process in the namespace.
set -eu
data=$1
shift
mount --make-rshared /
for path in /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /run/containerd; do
  mkdir -p "$data/host$path"
  mount --bind "$data/host$path" "$path"
done
exec "$@"
