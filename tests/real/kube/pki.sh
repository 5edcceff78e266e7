# shellcheck shell=bash
# Certificates and kubeconfigs of one cluster; sourced by up, works in the cluster's folder.

make_ca() {
    openssl ecparam -genkey -name prime256v1 -noout -out pki/ca.key
    openssl req -x509 -new -key pki/ca.key -subj /CN=platrun-test-ca -days 30 -sha256 \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -out pki/ca.crt
    openssl genrsa -out pki/sa.key 2048 2>/dev/null
    openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
}

# make_cert NAME SUBJECT [SUBJECT_ALT_NAMES]
make_cert() {
    openssl ecparam -genkey -name prime256v1 -noout -out "pki/$1.key"
    {
        echo "basicConstraints=critical,CA:FALSE"
        echo "keyUsage=critical,digitalSignature,keyEncipherment"
        echo "extendedKeyUsage=clientAuth,serverAuth"
        [ -z "${3-}" ] || echo "subjectAltName=$3"
    } >"pki/$1.ext"
    openssl req -new -key "pki/$1.key" -subj "$2" |
        openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 -sha256 \
            -extfile "pki/$1.ext" -out "pki/$1.crt" 2>/dev/null
}

# make_user NAME SUBJECT SERVER: a client certificate and NAME.kubeconfig with it inside.
make_user() {
    make_cert "$1" "$2"
    cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: local
  cluster:
    server: "$3"
    certificate-authority-data: $(base64 -w0 <pki/ca.crt)
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"pki/$1.crt")
    client-key-data: $(base64 -w0 <"pki/$1.key")
contexts:
- name: $1@local
  context: {cluster: local, user: $1}
current-context: $1@local
YAML
}

# make_pki SERVER NODE NODE_IP
make_pki() {
    local names=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default
    make_ca
    make_cert apiserver /CN=kube-apiserver "$names,DNS:kubernetes.default.svc"
    make_cert apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    make_cert kubelet-server "/CN=$2" "IP:$3,DNS:$2"
    make_user admin /O=system:masters/CN=admin "$1"
    make_user jane /O=dev/CN=jane "$1" # has no rights
    make_user kube-controller-manager /CN=system:kube-controller-manager "$1"
    make_user kube-scheduler /CN=system:kube-scheduler "$1"
    make_user kubelet "/O=system:nodes/CN=system:node:$2" "$1"
}
