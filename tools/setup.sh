#!/usr/bin/env bash
# Brings what the Makefile needs into the checkout, once: a Node >= 24 (the machine's own, or npm's package of one) and node_modules.
# Prints nothing when there is nothing to do. Nothing is installed globally.
set -euo pipefail
cd "$(dirname "$0")/.."

node_ok() { [ -x "$1" ] && "$1" -e 'process.exit(process.versions.node.split(".")[0] >= 24 ? 0 : 1)' 2>/dev/null; }

if ! node_ok .node/bin/node; then
  mkdir -p .node/bin
  own=$(command -v node || true)
  if [ -n "$own" ] && node_ok "$own"; then
    ln -sf "$own" .node/bin/node
  else
    command -v npm >/dev/null || { echo "setup: npm is needed to fetch Node 24 or newer; install nodejs and npm" >&2; exit 1; }
    case "$(uname -m)" in
      x86_64) arch=x64 ;;
      aarch64) arch=arm64 ;;
      *) echo "setup: no Node for $(uname -m) on npm; install Node 24 or newer yourself" >&2; exit 1 ;;
    esac
    echo "setup: Node >= 24 is not on this machine; fetching it into .node/" >&2
    npm install --no-save --no-audit --no-fund --loglevel=error --prefix .node "node-linux-$arch@26" >&2
    ln -sf "../node_modules/node-linux-$arch/bin/node" .node/bin/node
    node_ok .node/bin/node || { echo "setup: the fetched Node does not run" >&2; exit 1; }
  fi
fi

if ! cmp -s package-lock.json node_modules/.setup-lock; then
  command -v npm >/dev/null || { echo "setup: npm is needed to install the dependencies" >&2; exit 1; }
  echo "setup: installing dependencies" >&2
  # Not `npm ci`: it wants every platform's optional packages in the lock, and some registries carry only Linux's.
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.setup-lock
fi
