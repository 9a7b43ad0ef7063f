# shellcheck shell=bash
# Sourced by the scripts beside it: messages, the cache folder, packages, Rust, Debian root file systems.

# shellcheck disable=SC2034 # used by the scripts that source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CI_CACHE=${CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kustomer-ingest}
export CI_CACHE
mkdir -p "$CI_CACHE"

self=${0##*/}
say() { printf '%s: %s\n' "$self" "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# Runs a command and shows its output only if it fails.
quietly() {
  local log status=0
  log=$(mktemp "${TMPDIR:-/tmp}/$self.XXXXXX")
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    say "failed ($status): $*"
    tail -n 60 "$log" >&2
  fi
  rm -f "$log"
  return "$status"
}

# need_packages COMMAND=PACKAGE…: installs the packages whose command is missing. A COMMAND that starts with a slash
# stands for a file.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    case $pair in
      /*) [ -e "${pair%%=*}" ] || missing+=("${pair#*=}") ;;
      *) command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}") ;;
    esac
  done
  [ ${#missing[@]} = 0 ] && return 0
  command -v apt-get >/dev/null || die "missing here, and there is no apt-get: ${missing[*]}"
  is_root || die "not installed, run as root: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  quietly apt-get update -q || die "apt-get update"
  # no-install-recommends: the engine alone, without what only a desktop needs
  DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "${missing[@]}" || die "apt-get install ${missing[*]}"
}

# need_rust: cargo works in the repository with the release that rust-toolchain.toml names. Where rustup cannot fetch it
# but has it under another name, such as stable, that one is taken; a cargo without rustup is taken as it is.
need_rust() {
  local wanted found name
  for name in rustc cargo; do
    command -v $name >/dev/null || die "$name is missing: install Rust with rustup"
  done
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$top/rust-toolchain.toml")
  if ! (cd "$top" && rustc --version) >/dev/null 2>&1; then
    for name in $(rustup toolchain list --quiet); do
      [[ $(RUSTUP_TOOLCHAIN=$name rustc --version 2>/dev/null) == "rustc $wanted "* ]] || continue
      export RUSTUP_TOOLCHAIN=$name
      break
    done
  fi
  found=$(cd "$top" && rustc --version) || die "Rust $wanted is missing: rustup toolchain install $wanted"
  [[ $found == "rustc $wanted "* ]] || say "$found instead of $wanted: warnings may differ"
}

# debian_root DIR PACKAGE…: a minimal Debian root file system with these packages and nothing else. Downloaded
# packages are kept, so that a second root file system needs no network.
debian_root() {
  local dir=$1 debs=$CI_CACHE/debs
  shift
  is_root || die "only root can make a Debian root file system"
  need_packages debootstrap=debootstrap
  mkdir -p "$debs" "$dir"
  # mktemp creates folders that only root may enter
  chmod 755 "$dir"
  local include
  include=$(IFS=, && echo "$*")
  quietly debootstrap --variant=minbase --cache-dir="$debs" ${include:+"--include=$include"} bookworm "$dir" \
    || die "debootstrap into $dir"
}

# Removes what an image or a build never reads.
slim_root() {
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* \
    "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/usr/share/info/* "$1"/usr/share/locale/* \
    "$1"/var/log/bootstrap.log "$1"/var/log/dpkg.log "$1"/var/log/apt/*
}
