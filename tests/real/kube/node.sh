# shellcheck shell=bash
# One real node: a bridge, containerd and kubelet of its own; sourced by up, works in the cluster's
# folder.  Services are not programmed into the kernel: there is no kube-proxy.

IMAGE=local/busybox:1

# Makes the image busybox.tar (docker save format) from the machine's static busybox.
make_image() {
    local root=image sum applet arch
    case $(uname -m) in
        x86_64) arch=amd64 ;;
        aarch64) arch=arm64 ;;
        *) arch=$(uname -m) ;;
    esac
    mkdir -p $root/fs/{bin,tmp,etc,root,var,proc,sys,dev}
    cp "$(command -v busybox)" $root/fs/bin/busybox
    for applet in $(busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/fs/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >$root/fs/etc/passwd
    tar -C $root/fs --owner=0 --group=0 -cf $root/layer.tar .
    sum=$(sha256sum <$root/layer.tar | cut -d' ' -f1)
    cat >$root/config.json <<JSON
{"architecture": "$arch", "os": "linux",
 "config": {"Env": ["PATH=/bin"],
  "Cmd": ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait \$!; done"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$sum"]}}
JSON
    cat >$root/manifest.json <<JSON
[{"Config": "config.json", "RepoTags": ["$IMAGE", "local/pause:1"], "Layers": ["layer.tar"]}]
JSON
    tar -C $root -cf busybox.tar config.json manifest.json layer.tar
    rm -rf $root
}

# start_network BRIDGE NODE_IP SUBNET: pods get addresses of SUBNET on BRIDGE.  The machine does not
# become a router, so pods reach each other and this machine, nothing else.
start_network() {
    echo "$1" >run/bridge
    ip link add "$1" type bridge
    ip addr add "$2/24" dev "$1"
    ip link set "$1" up
    cat >cni/net.d/10-bridge.conflist <<JSON
{"cniVersion": "0.4.0", "name": "platrun", "plugins": [
  {"type": "bridge", "bridge": "$1", "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$PWD/cni/ipam",
            "ranges": [[{"subnet": "$3", "gateway": "$2"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
}

start_containerd() {
    cat >conf/containerd.toml <<TOML
version = 2
root = "$PWD/containerd/root"
state = "$PWD/containerd/state"
[grpc]
  address = "$PWD/run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$PWD/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$PWD/cni/net.d"
TOML
    start containerd containerd --config conf/containerd.toml
    wait_for 30 containerd ctr -a run/containerd.sock version
    make_image
    ctr -a run/containerd.sock -n k8s.io images import busybox.tar >/dev/null
}

# start_kubelet NODE NODE_IP PORT HEALTH_PORT.  Pods' containers stay below containerd's own cgroup
# (cgroupsPerQOS false), so that the kubelets of two clusters do not take each other's for orphans.
start_kubelet() {
    local name
    cat >conf/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $2
port: $3
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
healthzPort: $4
tlsCertFile: $PWD/pki/kubelet-server.crt
tlsPrivateKeyFile: $PWD/pki/kubelet-server.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PWD/pki/ca.crt}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$PWD/run/containerd.sock
podLogsDir: $PWD/podlogs
volumePluginDir: $PWD/kubelet/volumeplugins
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
registryPullQPS: 0
serializeImagePulls: false
syncFrequency: 5s
nodeStatusUpdateFrequency: 2s
resolvConf: /etc/resolv.conf
YAML
    # kubelet sets these for the whole machine: remember them.
    for name in vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops; do
        echo "$name=$(sysctl -n $name)"
    done >run/sysctl
    start kubelet env AWS_EC2_METADATA_DISABLED=true "$KUBE_BIN/kubelet" \
        --config=conf/kubelet.yaml \
        --kubeconfig=kubelet.kubeconfig --hostname-override="$1" --node-ip="$2" \
        --root-dir="$PWD/kubelet" --cert-dir="$PWD/kubelet/pki"
    wait_for 90 kubelet "$KUBE_BIN/kubectl" --kubeconfig=admin.kubeconfig \
        wait --for=condition=Ready "node/$1" --timeout=1s
    sysctl -qp run/sysctl
}

# An unused 10.x.0.0/24, printed as "10.x.0".
free_subnet() {
    local net
    while :; do
        net=10.$((64 + RANDOM % 128)).0
        if ! ip -4 addr show | grep -qF "inet $net." && [ "$net" != 10.96.0 ]; then
            echo "$net"
            return
        fi
    done
}
