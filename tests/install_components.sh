#!/usr/bin/env bash
# Installs the real programs that end-to-end tests start. Where this user may not install Debian packages, it says so
# and goes on: the tests that miss a program are then skipped by name (and fail where CI=true).
set -euo pipefail

packages=()
while read -r package program; do
  [[ -z "$package" || "$package" == \#* ]] && continue
  PATH="$PATH:/usr/sbin:/usr/lib/postgresql/15/bin" command -v "$program" >/dev/null || packages+=("$package")
done < "$(dirname "$0")/components.txt"

if [[ ${#packages[@]} -eq 0 ]]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "not a Debian system: install by hand what you need of: ${packages[*]}" >&2
  exit 0
fi
run=()
if [[ $(id -u) -ne 0 ]]; then
  if ! sudo -n true 2>/dev/null; then
    echo "no right to install Debian packages; tests will be skipped that need: ${packages[*]}" >&2
    exit 0
  fi
  run=(sudo -n)
fi
echo "installing Debian packages: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update -qq
"${run[@]}" apt-get install -qq -y --no-install-recommends "${packages[@]}" </dev/null >/dev/null
