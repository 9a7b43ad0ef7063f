# shellcheck shell=bash
# Sourced by .ci/cluster and the scripts beside this file, after .ci/lib.sh: versions, places, addresses, daemons.

# kube_version and helm_version are in .ci/lib.sh
coredns_version=1.15.0
bin=$CI_CACHE/kubernetes-${kube_version#v}-$coredns_version
keda_version=2.21.0
keda=$CI_CACHE/keda-$keda_version

# everything of the running cluster; another folder, bridge and net make it possible to have two
run=${CLUSTER_RUN:-/var/tmp/kustomer-ingest-cluster}
bridge=${CLUSTER_BRIDGE:-kingest0}
# of the bridge, the nodes and the pods; .1 is this machine, on which API server, DNS, Kafka and the simulator listen
net=${CLUSTER_NET:-10.245.0}
host=$net.1
services=10.97.0.0/16
pause_image=kustomer-ingest.local/pause:1

export PATH=$bin:$PATH
export KUBECONFIG=$run/keys/admin.kubeconfig

# node_address N
node_address() { echo "$net.$1"; }

# sockets of the nodes' container runtimes
runtimes() { find "$run" -maxdepth 2 -name containerd.sock 2>/dev/null | sort; }

# daemon NAME COMMAND…: outlives the script that starts it, and holds none of its streams; `down` ends it
daemon() {
  local name=$1
  shift
  setsid "$@" >"$run/log/$name" 2>&1 </dev/null &
  echo "$! $1" >"$run/pid/$name"
  disown
}

# load_images IMAGE…: they exist nowhere else, so pods must not ask for `imagePullPolicy: Always`
load_images() {
  local image socket
  for image; do
    for socket in $(runtimes); do
      docker save "$image" | ctr --address "$socket" --namespace k8s.io images import - >/dev/null
    done
  done
}
