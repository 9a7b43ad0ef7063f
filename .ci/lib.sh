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

# maven_jars POM: the folder with the jars that a POM names, fetched once for each content of the file.
maven_jars() {
  local pom=$1 name jars
  need_packages mvn=maven
  name=$(sed -n 's:.*<artifactId>\(.*\)</artifactId>.*:\1:p' "$pom" | head -n 1)
  jars=$CI_CACHE/$name-jars-$(sha256sum "$pom" | cut -c1-16)
  if [ ! -e "$jars/.complete" ]; then
    rm -rf "$jars"
    quietly mvn --batch-mode --quiet -Dstyle.color=never -f "$pom" \
      dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" \
      || die "Maven did not deliver the jars of $pom"
    touch "$jars/.complete"
  fi
  echo "$jars"
}

image_label=kustomer-ingest.inputs

# image_is_current IMAGE INPUTS: whether the image exists and was built from these inputs, or by somebody else.
image_is_current() {
  local image=$1 inputs=$2 built_from
  docker info >/dev/null 2>&1 || die "no Docker engine answers; .ci/docker-engine starts one"
  docker image inspect "$image" >/dev/null 2>&1 || return 1
  built_from=$(docker image inspect --format "{{index .Config.Labels \"$image_label\"}}" "$image" 2>/dev/null || true)
  case $built_from in
    "$inputs" | '' | '<no value>')
      say "$image exists"
      return 0
      ;;
  esac
  say "$image was built from other files, building it again"
  return 1
}

# image_root: a new folder for a root file system, removed when the script ends, however it ends.
image_root() {
  root=$(mktemp -d "$CI_CACHE/${self%-image}-root.XXXXXX")
  remove_root() {
    # debootstrap mounts these while it works; an interrupted one leaves them
    umount "$root/proc" "$root/sys" 2>/dev/null || true
    rm -rf --one-file-system "$root"
  }
  trap remove_root EXIT
  trap 'exit 130' INT TERM
}

# import_image IMAGE INPUTS CHANGE…: makes the image of the folder from image_root, with these changes of `docker import`.
import_image() {
  local image=$1 inputs=$2 before change changes=()
  shift 2
  for change in "$@" "LABEL $image_label=$inputs"; do
    changes+=(-c "$change")
  done
  before=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
  tar -C "$root" --one-file-system -c . | docker import "${changes[@]}" - "$image" >/dev/null || die "docker import"
  # remove the image that lost its name, unless a container still uses it
  [ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || true
  say "$image is built"
}

# The Helm that the chart is checked with, and the Kubernetes that it is rendered for and tried on.
helm_version=v3.22.0
kube_version=v1.37.2

# need_helm: `helm` is that Helm, built from its Go module once.
need_helm() {
  local folder=$CI_CACHE/go-bin
  export PATH=$folder:$PATH
  [ "$(cat "$folder/helm.version" 2>/dev/null || true)" != "$helm_version" ] || return 0
  need_packages go=golang-go
  GOBIN=$folder quietly go install "helm.sh/helm/v3/cmd/helm@$helm_version" || die "Helm $helm_version could not be built"
  echo "$helm_version" >"$folder/helm.version"
}

# helm_quiet …: without the note about each link of the chart that is followed.
helm_quiet() {
  local errors status=0
  errors=$(mktemp "${TMPDIR:-/tmp}/$self.XXXXXX")
  helm "$@" 2>"$errors" || status=$?
  grep -v 'found symbolic link' "$errors" >&2 || true
  rm -f "$errors"
  return $status
}
