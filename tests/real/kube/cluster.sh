# shellcheck shell=bash
# For the units that need a real Kubernetes; source it after tests/lib.sh.

# start_cluster 1|0: with or without a node.  Sets KUBECONFIG, KUBECTL, KUBE_AUDIT_LOG, KUBE_IMAGE.
# The cluster ends with the script.  Skips where it may not or cannot be started.
start_cluster() {
    local here=tests/real/kube minor
    . "$here/lib.sh"
    if [ "${CI-}" != true ] && [ "${REAL-}" != 1 ]; then
        skip "starts a Kubernetes, whose kubelet changes this machine: make check REAL=1"
    fi
    need etcd etcd-server
    if [ "$1" = 1 ]; then
        [ "$(id -u)" -eq 0 ] || missing "a kubelet needs root"
        need containerd containerd
        need busybox busybox-static
        need ip iproute2
        [ -x /usr/lib/cni/bridge ] ||
            missing "no /usr/lib/cni: apt-get install containernetworking-plugins"
    fi
    minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ ! -x "$KUBE_BIN/kubectl" ] && [ "${minor:-0}" -lt 24 ]; then
        skip "no Go >= 1.24 to build Kubernetes with (or set PLATRUN_TEST_KUBECONFIG)"
    fi
    cluster=$(mktemp -d "${TMPDIR:-/tmp}/kube.XXXXXX")
    # shellcheck disable=SC2154 # set above
    trap '[ ! -d "$cluster/run" ] || tests/real/kube/down "$cluster"' EXIT
    NODE=$1 "$here/up" "$cluster"
    # shellcheck disable=SC1091 # written by up
    . "$cluster/env"
}
