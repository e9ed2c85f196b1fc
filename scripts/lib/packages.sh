# The one list of Debian packages the project needs, and how to install what is missing of them.
# shellcheck shell=bash
# Sourced after common.sh. Quick when all is there; as an ordinary user it only looks.

# build covers what cmake looks for; the tests are registered with it, hence python3. php8.2-fpm is
# in run for its php.ini and conf.d, which muster reads as php-fpm does, and in bench as the peer.
declare -rA packages_of=(
    [build]="cmake ninja-build g++ pkg-config ccache libevent-dev libinih-dev libspdlog-dev
        libfmt-dev libexpected-dev nlohmann-json3-dev libgtest-dev libgmock-dev php8.2-dev
        libphp8.2-embed libacl1-dev libapparmor-dev libcap-dev libcli11-dev libsystemd-dev python3"
    [run]="nginx curl procps php8.2-fpm php8.2-opcache php8.2-mbstring php8.2-xml php8.2-sqlite3"
    [test]="clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck python3-pytest
        libfcgi-bin php8.2-cli dokuwiki acl iproute2 apache2 haproxy lighttpd caddy
        python3-prometheus-client
        wordpress wordpress-theme-twentytwentythree mediawiki mariadb-server-core php8.2-mysql
        php8.2-gd php8.2-intl chromium fonts-dejavu-core nodejs npm"
    [bench]="nginx php8.2-fpm wrk python3"
)

# Services that these packages would start and enable; we want the programs only.
readonly packages_with_services="nginx php8.2-fpm apache2 haproxy lighttpd caddy"
readonly service_guard=/usr/sbin/policy-rc.d
readonly service_guard_mark="placed by muster's scripts/lib/packages.sh"

package_is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# NodeSource's package nodejs has npm in it and refuses Debian's.
package_is_there() {
    package_is_installed "$1" ||
        { [ "$1" = npm ] && package_is_installed nodejs && command -v npm >/dev/null; }
}

# missing_packages PART...
missing_packages() {
    local part name
    for part in "$@"; do
        for name in ${packages_of[$part]}; do
            package_is_there "$name" || printf '%s\n' "$name"
        done
    done | sort -u
}

# A policy-rc.d that refuses every start, unless the machine already has a policy of its own.
place_service_guard() {
    remove_service_guard
    if [ ! -e "$service_guard" ]; then
        printf '#!/bin/sh\n# %s; safe to remove\nexit 101\n' "$service_guard_mark" >"$service_guard"
        chmod 755 "$service_guard"
    fi
}

remove_service_guard() {
    if [ -f "$service_guard" ] && grep -qsF "$service_guard_mark" "$service_guard"; then
        rm -f "$service_guard"
    fi
}

apt_install() {
    NEEDRESTART_SUSPEND=1 DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends -o Dpkg::Options::=--force-confold \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# keep_off NAME...: services that were not here before must not run, now or at the next boot.
keep_off() {
    local name
    [ -d /run/systemd/system ] || return 0
    for name in "$@"; do
        if package_is_installed "$name"; then
            systemctl disable --now "$name.service" || true
        fi
    done
}

# In a subshell, so that the guard goes away however the installation ends.
install_packages() (
    new_services=()
    for name in $packages_with_services; do
        package_is_installed "$name" || new_services+=("$name")
    done
    trap remove_service_guard EXIT
    trap 'exit 130' INT TERM HUP
    place_service_guard
    if ! apt_install "$@"; then
        echo "Trying again with fresh package lists."
        apt-get update -q </dev/null || exit 1
        apt_install "$@" || exit 1
    fi
    keep_off "${new_services[@]}"
)

# ensure_packages PART...: build, run, test, bench.
ensure_packages() {
    local missing log
    command -v dpkg-query >/dev/null || die "this script knows Debian 12 only (no dpkg-query here)"
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        die "missing packages; as root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    log=$(mktemp "${TMPDIR:-/tmp}/muster-packages.XXXXXX")
    if ! install_packages "${missing[@]}" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "the packages could not be installed"
    fi
    rm -f "$log"
}
