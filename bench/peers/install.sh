#!/usr/bin/env bash
# Installs every peer from PyPI in a virtual environment of its own, and the shipped model as a checkpoint for them:
#   bash bench/peers/install.sh            (about 5 GB; BENCH_PEERS_DIR names the folder, default in the user's cache)
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${BENCH_PEERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/assay-bench}
export PIP_DISABLE_PIP_VERSION_CHECK=1

install() {
  local name=$1
  shift
  if [[ ! -d $folder/$name ]]; then python3 -m venv "$folder/$name"; fi
  # This version and first: what the packages below would pick on their own may bring gigabytes of CUDA libraries.
  "$folder/$name/bin/python" -m pip install -q torch==2.13.0
  "$folder/$name/bin/python" -m pip install -q "$@"
}

mkdir -p "$folder"
install sentence-transformers sentence-transformers==6.2.0
install litserve litserve==0.2.19 sentence-transformers==6.2.0
install gradients opacus==1.6.0 transformers==5.17.0
install infinity 'infinity-emb[server,torch,optimum]==0.0.78'

# Written by the project's own environment (CONTRIBUTING.md), which knows model folders.
.venv/bin/python bench/peers/checkpoint.py models/default "$folder/checkpoint"
