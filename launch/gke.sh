#!/usr/bin/env bash
# Pre-training on GKE (or another Kubernetes with JobSet): fills in gke_tpu.yaml or gke_gpu.yaml.
#
#   launch/gke.sh tpu            applies it
#   launch/gke.sh gpu
#   DRY_RUN=1 launch/gke.sh tpu  prints the manifest and what it would do
#
# Needs kubectl, the JobSet controller, an image of launch/Dockerfile, and on GKE a node pool of the
# slice's shape or of GPUs. JobSet starts all pods again when one is lost.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=launch/common.sh
source common.sh

# ---- Settings; the environment overrides them.
NAME=${NAME:-biobert}
IMAGE=${IMAGE:-europe-docker.pkg.dev/my-project/biobert/biobert:tpu}
SERVICE_ACCOUNT=${SERVICE_ACCOUNT:-default} # of Kubernetes, with the right to use the bucket
WORKDIR=${WORKDIR:-gs://my-bucket/runs/pubmed}
CONFIG=${CONFIG:-biobert_v1_0_pubmed}
CORPORA=${CORPORA:-"(('gs://my-bucket/shards', 1.0),)"}
# More flags, separated by blanks: FLAGS="--config.seed=1 --config.train.steps=1000".
FLAGS=${FLAGS:-}
RESTARTS=${RESTARTS:-100}
# TPU: the slice, in how many hosts of how many chips it comes, and how many slices.
TPU=${TPU:-tpu-v5-lite-podslice}
TOPOLOGY=${TOPOLOGY:-4x8}
CHIPS=${CHIPS:-4}
SLICES=${SLICES:-1}
# GPU: the kind, and how many a host has.
GPU=${GPU:-nvidia-h100-80gb}
GPUS=${GPUS:-8}
# Hosts: of a slice, or of GPUs.
HOSTS=${HOSTS:-8}
DRY_RUN=${DRY_RUN:-}

kind=${1:-}
[[ $kind == tpu || $kind == gpu ]] || fail "expected tpu or gpu"
for number in RESTARTS CHIPS SLICES GPUS HOSTS; do
    [[ ${!number} =~ ^[1-9][0-9]*$ ]] || fail "$number is '${!number}'; expected a number, 1 or more"
done
[[ $NAME =~ ^[a-z][-a-z0-9]{0,30}$ ]] ||
    fail "NAME is '$NAME'; expected up to 31 small letters, digits and hyphens"
for word in IMAGE SERVICE_ACCOUNT TPU TOPOLOGY GPU; do
    [[ ${!word} =~ ^[A-Za-z0-9][A-Za-z0-9._:/@-]*$ ]] || fail "$word is '${!word}'; expected one word"
done
if [[ $kind == tpu ]]; then
    [[ $TOPOLOGY =~ ^[0-9]+(x[0-9]+)+$ ]] || fail "TOPOLOGY is '$TOPOLOGY'; expected such as 4x8"
    chips=1
    IFS=x read -r -a sides <<< "$TOPOLOGY"
    for side in "${sides[@]}"; do chips=$((chips * side)); done
    [[ $chips == $((HOSTS * CHIPS)) ]] ||
        fail "TOPOLOGY $TOPOLOGY has $chips chips, and HOSTS x CHIPS is $((HOSTS * CHIPS))"
fi

read -r -a more <<< "$FLAGS"
command=(until_done "$WORKDIR" biobert train pretrain "--config=$CONFIG" "--workdir=$WORKDIR"
    "--config.dataset.corpora=$CORPORA" ${more[@]+"${more[@]}"})
if [[ $kind == gpu ]]; then
    # With these three no access to the API is needed. JobSet gives pods stable names, and each its number.
    # shellcheck disable=SC2016 # Kubernetes fills in the number
    command+=("--coordinator=$NAME-train-0-0.$NAME:8476" "--num_processes=$HOSTS"
        '--process_id=$(JOB_COMPLETION_INDEX)')
fi
# shellcheck disable=SC2034 # by name, below
COMMAND=$(json_list "${command[@]}")

manifest=$(< "gke_$kind.yaml")
for name in NAME IMAGE SERVICE_ACCOUNT RESTARTS TPU TOPOLOGY CHIPS SLICES GPU GPUS HOSTS COMMAND; do
    manifest=${manifest//"\${$name}"/"${!name}"}
done

if [[ -n $DRY_RUN ]]; then
    printf '%s\n' "$manifest"
    echo "# kubectl apply --filename=-; kubectl logs --follow job/$NAME-train-0" >&2
else
    kubectl apply --filename=- <<< "$manifest"
    echo "follow it: kubectl logs --follow job/$NAME-train-0; end it: kubectl delete jobset $NAME" >&2
fi
