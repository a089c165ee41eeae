# Common to the programs in this folder: messages, and installing what is missing.
# To be sourced by a bash that has `set -euo pipefail`.
# shellcheck shell=bash

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    _bold=$'\e[1m' _green=$'\e[32m' _red=$'\e[31m' _yellow=$'\e[33m' _plain=$'\e[0m'
else
    _bold='' _green='' _red='' _yellow='' _plain=''
fi

# step TEXT: what begins now.
step() { printf '%s==> %s%s\n' "$_bold" "$1" "$_plain"; }
# good TEXT: what is done.
good() { printf '%s  ✓ %s%s\n' "$_green" "$1" "$_plain"; }
# warn TEXT: what a person should know, though the work goes on.
warn() { printf '%s  ! %s%s\n' "$_yellow" "$1" "$_plain" >&2; }
# fail TEXT: why the work ends here.
fail() {
    printf '%s  ✗ %s%s\n' "$_red" "$1" "$_plain" >&2
    exit 1
}

# as_root COMMAND...: runs it as root, asking sudo when we are not.
as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root is needed for: $* — run it as root, or install sudo"
    fi
}

# need_packages PACKAGE...: installs Debian or Ubuntu packages that are missing.
need_packages() {
    local package missing=()
    command -v apt-get >/dev/null || {
        warn "not a Debian or Ubuntu: please make sure that these are installed: $*"
        return 0
    }
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == *' installed' ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    step "Installing ${missing[*]}"
    local install=(install -y --no-install-recommends "${missing[@]}")
    if ! apt_get "${install[@]}" >"$_install_log" 2>&1; then
        # The lists of a fresh machine are empty, and those of an old one name versions that are gone.
        echo "    (bringing the package lists up to date first)"
        if ! { apt_get update && apt_get "${install[@]}"; } >"$_install_log" 2>&1; then
            tail -n 20 "$_install_log" >&2
            fail "apt-get could not install ${missing[*]}; its output is in $_install_log"
        fi
    fi
    good "installed"
}
_install_log=${TMPDIR:-/tmp}/latchkey-install-$(id -u)-$$.log

# apt_get ARGUMENT...: one at a time, for our programs run beside each other, and another one may be at work on a machine
# that has just started. What a package starts does not keep the lock.
apt_get() {
    as_root flock --close "${TMPDIR:-/tmp}/latchkey-apt.lock" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o Dpkg::Use-Pty=0 -o APT::Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}

# first_package PACKAGE...: the first one that this system's lists know, for names that differ between
# Debian and Ubuntu.
first_package() {
    local package
    for package in "$@"; do
        if apt-cache show "$package" 2>/dev/null | grep -q '^Filename:'; then
            echo "$package"
            return
        fi
    done
    echo "$1"
}

# board_value FILE SECTION KEY: a value of a board file or of what it inherits, without its quotes.
# Empty if there is none. Values stand on one line there.
board_value() {
    local file=$1 value base
    value=$(_toml_value "$file" "$2" "$3")
    if [[ -z $value ]]; then
        base=$(_toml_value "$file" '' inherits)
        if [[ -n $base ]]; then value=$(board_value "$(dirname "$file")/$base" "$2" "$3"); fi
    fi
    printf '%s' "$value"
}
_toml_value() {
    awk -v wanted="$2" -v key="$3" '
        /^\[/ { section = $0; sub(/^\[/, "", section); sub(/\].*/, "", section); next }
        section == wanted && $1 == key && $2 == "=" {
            sub(/^[^=]*= */, "")
            if (/^"/) { sub(/^"/, ""); sub(/".*/, "") } else { sub(/ *#.*/, "") }
            print
            exit
        }' "$1"
}

# need_rust: a Rust toolchain, with a linker.
need_rust() {
    [[ -d "$HOME/.cargo/bin" ]] && PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null ||
        fail "Rust is missing: install it from https://rustup.rs, open a new shell, and run this again"
    need_rust_version "run 'rustup update stable'"
    command -v cc >/dev/null || need_packages gcc libc6-dev
}

# need_rust_version REMEDY: that the rustc on PATH is as recent as Cargo.toml asks for.
need_rust_version() {
    local version wanted
    version=$(rustc --version | cut -d' ' -f2)
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    [[ $(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "Rust $version is too old, $wanted or later is needed: $1"
}

# need_cargo_tool NAME VERSION: a program from crates.io, built without optimisation: it runs once.
need_cargo_tool() {
    command -v "$1" >/dev/null && return
    step "Building $1 $2 (once, some minutes)"
    cargo install --locked --quiet --debug "$1@$2" || fail "cargo could not install $1 $2"
    good "installed"
}

# seconds_since START: how long, for people, START being a value of $SECONDS.
seconds_since() {
    local taken=$((SECONDS - $1))
    if ((taken < 60)); then printf '%d s' "$taken"; else printf '%d min %02d s' $((taken / 60)) $((taken % 60)); fi
}

# exec_with_namespaces COMMAND...: goes on as COMMAND, as root where nobody else may make mount
# namespaces (Ubuntu 24.04 keeps them from ordinary users).
exec_with_namespaces() {
    if [[ $(id -u) == 0 ]] || unshare --user --map-root-user --mount sh -c 'mount -t tmpfs tmpfs /mnt' 2>/dev/null ||
        ! command -v sudo >/dev/null; then
        exec "$@"
    fi
    warn "the recorder's reboot is a mount namespace, which only root may make here: asking sudo"
    exec sudo env PATH="$PATH" "$@"
}
