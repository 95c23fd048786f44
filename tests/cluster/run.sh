#!/usr/bin/env bash
# Builds the images with the tag `test` and runs the cluster tests: tests/cluster/run.sh [pytest options]
# or measures what more pods bring: tests/cluster/run.sh scaling
#
# On the cluster of KUBECONFIG; BUILD builds an image and LOAD brings it to the nodes where they do not see it by themselves:
#   KUBECONFIG=… LOAD="kind load docker-image --name eshop" tests/cluster/run.sh
# Without KUBECONFIG, or with its own, on the one-node Kubernetes beside the repository, whose images are stand-ins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kube=$PWD/../shared/kube/kube
if [ -x "$kube" ] && [ -z "${KUBECONFIG:-}" ]; then
  "$kube" tools
  "$kube" up
  "$kube" images
  eval "$("$kube" env)"
fi

# Volumes of that node are folders of this machine: those that were given back are emptied and offered again.
reclaim() {
  local volume path
  kubectl get pv -o jsonpath='{range .items[?(@.status.phase=="Released")]}{.metadata.name}{" "}{.spec.hostPath.path}{"\n"}{end}' |
    while read -r volume path; do
      [[ $path == */volumes/[0-9]* ]] || continue
      kubectl delete pv "$volume" >/dev/null
      find "$path" -mindepth 1 -delete
    done
  "$kube" up >/dev/null
}

if [ -x "$kube" ] && [[ "$("$kube" env)" == *"KUBECONFIG=$KUBECONFIG "* ]]; then
  reclaim
  export BUILD="$kube build" BASE_IMAGE=python:3.11-slim ESHOP_CLUSTER_VALUES=tests/cluster/values-stand-ins.yaml
  [ ! -f /etc/pip.conf ] || export PIP_CONF=/etc/pip.conf
fi
export BUILD=${BUILD:-docker build -t}

images/build.sh test
[ "${1:-}" != scaling ] || exec .venv/bin/python -m tests.cluster.scaling
exec .venv/bin/python -m pytest tests/cluster "$@"
