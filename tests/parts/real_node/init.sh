#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Process 1 of a real node, in mounts, processes and a network of its own, with which everything
# ends: init.sh FOLDER ADDRESS NAME CONTAINERD_PROGRAMS KUBERNETES_PROGRAMS
set -eu
folder=$1 address=$2 name=$3 runtime=$4 kubernetes=$5
mount --make-rshared /
# What a node keeps in the usual places is in FOLDER: this machine's own stay as they are.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock "$folder"/{containerd,kubelet,log,sysctl,varlib,varlib.work}
mount -t overlay -o "lowerdir=/var/lib,upperdir=$folder/varlib,workdir=$folder/varlib.work" \
  overlay /var/lib
mkdir -p /var/lib/containerd /var/lib/kubelet
mount --bind "$folder/containerd" /var/lib/containerd
mount --bind "$folder/kubelet" /var/lib/kubelet
mount --bind "$folder/log" /var/log
# The kubelet sets these for the whole machine: it finds them set already.
for pair in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$folder/sysctl/${pair%%=*}
  mkdir -p "$(dirname "$file")"
  echo "${pair##*=}" >"$file"
  mount --bind "$file" "/proc/sys/${pair%%=*}"
done
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
export PATH=$runtime:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

start() {
  local log=$folder/$1.out
  shift
  "$@" >"$log" 2>&1 </dev/null &
}

start containerd "$runtime/containerd" --config "$folder/containerd.toml"
until ctr version >/dev/null 2>&1; do sleep 0.1; done
for image in "$folder"/images/*.tar; do
  ctr --namespace k8s.io images import --local "$image" >>"$folder/import.out" 2>&1
done
start kube-proxy "$kubernetes/kube-proxy" --config="$folder/kube-proxy.json"
start coredns "$runtime/coredns" -conf "$folder/Corefile"
start kubelet "$kubernetes/kubelet" --config="$folder/kubelet.json" \
  --kubeconfig="$folder/kubelet.kubeconfig" --hostname-override="$name" --node-ip="$address"
# Process 1 reaps whoever is left behind.
while :; do
  wait -n || true
  sleep 0.2
done
