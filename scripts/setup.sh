#!/usr/bin/env bash
# Installs what is missing to build, run, test or benchmark the module (Debian, Ubuntu; elsewhere it says what to install).
#
#   scripts/setup.sh [--dry-run] [build] [run] [cluster] [test] [bench]        default: build run test
#
# It installs missing packages only, starts no service, enables no module and writes no configuration. With INSTALL_RUST=1 a
# missing or too old Rust toolchain is installed through rustup into the caller's home; without it the command is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

dry_run=''
groups=()
for argument in "$@"; do
    case $argument in
        --dry-run) dry_run=1 ;;
        build | run | cluster | test | bench) groups+=("$argument") ;;
        *)
            sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
            exit 2
            ;;
    esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build run test)

say() { printf '%s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
wanted() {
    local group
    for group in "${groups[@]}"; do [ "$group" = "$1" ] && return; done
    return 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- What is missing, by what it is needed for ---------------------------------------------------------------------------

rust_wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
rust_missing=''
check_rust() {
    [ -d "$HOME/.cargo/bin" ] && PATH=$PATH:$HOME/.cargo/bin
    local version=''
    have rustc && version=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p')
    if [ -z "$version" ]; then
        rust_missing="no Rust compiler found"
    elif [ "$(printf '%s\n%s\n' "$rust_wanted" "$version" | sort -V | head -n1)" != "$rust_wanted" ]; then
        rust_missing="rustc $version is too old, $rust_wanted or later is needed"
    elif ! have cargo || ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
        rust_missing="cargo, clippy or rustfmt is missing"
    fi
}

java_is_usable() { # a JRE of version 17 or later
    local java=java
    [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] && java=$JAVA_HOME/bin/java
    local major
    major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n1) || return 1
    [ -n "$major" ] && [ "$major" -ge 17 ]
}

python_makes_environments() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

# Schemathesis tries out the API of the status worker as docs/openapi.yaml describes it. It gets a Python environment of its own
# below target/; the versions are those of the list.
install_schemathesis() {
    local list=tests/schemathesis/requirements.txt place=${CARGO_TARGET_DIR:-target}/schemathesis
    # An environment that was moved does not run.
    cmp -s "$list" "$place/installed.txt" && "$place/bin/schemathesis" --version >/dev/null 2>&1 && return
    say "setup: installing schemathesis into $place"
    [ -z "$dry_run" ] || return 0
    rm -rf "$place"
    python3 -m venv "$place" && "$place/bin/pip" install --quiet --disable-pip-version-check -r "$list" ||
        die "schemathesis could not be installed; is there a package index that pip may use?"
    cp "$list" "$place/installed.txt"
}

tomcat_is_there() { # an unpacked Tomcat counts as well as the package
    [ -f "${CATALINA_HOME:-/nowhere}/bin/bootstrap.jar" ]
}

install_rust() {
    if [ -z "${INSTALL_RUST:-}" ] || [ -n "$dry_run" ]; then
        say "Rust: $rust_missing. Install it from https://rustup.rs, or let this script do it:"
        say "    INSTALL_RUST=1 scripts/setup.sh build"
        [ -n "$dry_run" ]
        return
    fi
    if have rustup; then
        rustup toolchain install stable --profile minimal --component clippy --component rustfmt
        rustup default stable
    else
        have curl || die "curl is needed to install Rust"
        say "Rust: $rust_missing; installing it with rustup into ${CARGO_HOME:-$HOME/.cargo}"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --profile minimal --component clippy --component rustfmt --no-modify-path ||
            die "rustup could not be fetched or run; install Rust $rust_wanted or later by hand"
        say "Rust is in ${CARGO_HOME:-$HOME/.cargo}/bin; add it to PATH."
    fi
}

# --- Without apt: say it in words ----------------------------------------------------------------------------------------

if ! have apt-get || ! have dpkg-query; then
    missing=0
    lacks() {
        missing=1
        say "  $1"
        say "      $2"
    }
    say "This is not Debian or Ubuntu, so nothing was installed. Missing here:"
    if wanted build; then
        check_rust
        [ -z "$rust_missing" ] || lacks "Rust $rust_wanted or later ($rust_missing)" "https://rustup.rs"
        have cc || lacks "a C compiler" "Fedora/RHEL: gcc   Alpine: build-base   Arch: gcc   openSUSE: gcc"
        have make || lacks "make" "package make"
        have "${APXS:-apxs}" || have apxs2 ||
            lacks "apxs and the headers of httpd 2.4" \
                "Fedora/RHEL: httpd-devel   Alpine: apache2-dev   Arch: apache   openSUSE: apache2-devel   own build: APXS=/prefix/bin/apxs"
        have clang || ls /usr/lib*/libclang.so* /usr/lib/llvm*/lib/libclang.so* >/dev/null 2>&1 ||
            lacks "libclang (reads httpd's headers)" "Fedora/RHEL: clang-libs   Alpine: clang-dev   Arch: clang   openSUSE: clang-devel"
    fi
    if wanted run || wanted cluster || wanted test; then
        have httpd || have apache2 || have httpd2 ||
            lacks "Apache httpd 2.4" "Fedora/RHEL: httpd   Alpine: apache2   Arch: apache   openSUSE: apache2"
        have curl || lacks "curl" "package curl"
        java_is_usable || lacks "a Java runtime, 17 or later (optional: demo and live tests with Tomcat)" \
            "Fedora/RHEL: java-21-openjdk-headless   Alpine: openjdk21-jre-headless   Arch: jre-openjdk-headless"
        tomcat_is_there || lacks "Tomcat 10.1 (optional, as above)" \
            "unpack https://tomcat.apache.org/download-10.cgi and set CATALINA_HOME to it"
    fi
    if wanted test; then
        have openssl || lacks "openssl" "package openssl"
        have javac || lacks "a Java compiler (the session stores of the live tests)" "the JDK package of the Java runtime above"
        have redis-server || lacks "redis-server" "Fedora/RHEL: redis or valkey   elsewhere: package redis"
        have memcached || lacks "memcached" "package memcached"
        have node || lacks "Node.js" "package nodejs"
        have python3 || lacks "Python 3" "package python3"
        [ -f "${JETTY_HOME:-/usr/share/jetty9}/start.jar" ] ||
            lacks "Jetty 9, its directory in JETTY_HOME" "unpack https://jetty.org/download.html"
        have chromium || lacks "chromium (shows the status page)" "package chromium"
        have promtool || lacks "promtool (checks metrics and rules for alerts)" "it comes with Prometheus: https://prometheus.io/download/"
        python_makes_environments || lacks "Python 3.10 or later with venv" "package python3"
        have initdb || lacks "PostgreSQL's server, initdb in PATH or its directory in PG_BINDIR" "Fedora/RHEL: postgresql-server   elsewhere: package postgresql"
        [ -f "${POSTGRESQL_JDBC:-/usr/share/java/postgresql.jar}" ] ||
            lacks "PostgreSQL's JDBC driver, named in POSTGRESQL_JDBC" "Fedora/RHEL: postgresql-jdbc   elsewhere: https://jdbc.postgresql.org/"
        [ -f "$("${APXS:-apxs}" -q LIBEXECDIR 2>/dev/null)/mod_security2.so" ] ||
            lacks "mod_security2" "Fedora/RHEL: mod_security   elsewhere: https://modsecurity.org/"
        [ -f "$("${APXS:-apxs}" -q LIBEXECDIR 2>/dev/null)/mod_evasive20.so" ] ||
            lacks "mod_evasive" "Fedora, EPEL: mod_evasive   elsewhere: https://github.com/jzdziarski/mod_evasive"
    fi
    if wanted bench; then
        have strace || lacks "strace" "package strace"
        have valgrind || lacks "valgrind" "package valgrind"
        [ -f "$("${APXS:-apxs}" -q LIBEXECDIR 2>/dev/null)/mod_jk.so" ] ||
            lacks "the original mod_jk, to compare with" "Alpine: apache2-mod-jk   elsewhere: https://tomcat.apache.org/connectors-doc/"
    fi
    if [ $missing -eq 0 ]; then
        say "  nothing"
        if wanted test; then install_schemathesis; fi
        exit 0
    fi
    exit 1
fi

# --- With apt ------------------------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
required=()
optional=()
need() {
    installed "$1" || case " ${required[*]} " in *" $1 "*) ;; *) required+=("$1") ;; esac
}
wish() { installed "$1" || optional+=("$1"); }

if wanted build; then
    have cc || need gcc
    have make || need make
    need apache2-dev
    need libclang-dev
    need pkg-config
    check_rust
    [ -z "$rust_missing" ] || have curl || need curl
fi
if wanted run || wanted cluster || wanted test; then
    need apache2
    have curl || need curl
    # Without Tomcat there is still the demo backend, so its packages may be missing from the distribution.
    java_is_usable || wish default-jre-headless
    if ! tomcat_is_there; then
        wish tomcat10
        wish tomcat10-examples
    fi
fi
if wanted cluster && ! tomcat_is_there; then
    need tomcat10 # nothing else can be shown; its clustering is in libtomcat10-java, which it brings
    java_is_usable || need default-jre-headless
fi
if wanted test; then
    have openssl || need openssl
    need libapache2-mod-security2 # a web application firewall in front of relayed requests
    # It refuses clients that ask too often. Of the mail programs that Debian lets it choose from, mailutils brings no mail server.
    installed libapache2-mod-evasive || need mailutils
    need libapache2-mod-evasive
    need libapache2-mod-jk # the original, to compare with
    # Session stores. Each test starts servers of its own on loopback; those of the system are neither needed nor touched.
    have javac || need default-jdk-headless # compiles two small stores against Tomcat
    need redis-server
    need memcached
    need postgresql
    need libpostgresql-jdbc-java
    have chromium || need chromium # shows the status page
    have promtool || need prometheus # its promtool checks metrics and rules for alerts
    python_makes_environments || { need python3; need python3-venv; }
    # Backends that speak HTTP. Jetty's own service is neither needed nor touched: the test starts one of its own.
    have node || need nodejs
    need jetty9
fi
if wanted bench; then
    need apache2
    need strace
    need valgrind
    need libapache2-mod-jk # what is compared with
fi
# pkgconf provides pkg-config on newer releases under its own name.
if have pkg-config; then
    kept=()
    for package in "${required[@]}"; do [ "$package" = pkg-config ] || kept+=("$package"); done
    required=("${kept[@]}")
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

policy=/usr/sbin/policy-rc.d
policy_mark='written by mod_jk_rs setup, removed at its end'
remove_policy() {
    if [ -f "$policy" ] && grep -qF "$policy_mark" "$policy"; then as_root rm -f "$policy"; fi
}

# Debian starts a service when its package is installed; a second httpd or Tomcat on this machine is not what was asked for.
# policy-rc.d is the documented way to forbid it. One that exists belongs to somebody else and is left alone.
forbid_services() {
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        if ! grep -qF "$policy_mark" "$policy"; then
            say "setup: $policy exists and decides whether the new services are started."
            return
        fi
    fi
    trap remove_policy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # Under a temporary name first, so that a half-written policy is never seen.
    printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" | as_root sh -c "umask 022; cat > $policy.new && chmod 755 $policy.new && mv $policy.new $policy"
}

available() { [ -n "$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([^(]*\)$/\1/p')" ]; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -o DPkg::Lock::Timeout=300 "$@"; }

if [ ${#required[@]} -eq 0 ] && [ ${#optional[@]} -eq 0 ]; then
    say "setup: all packages for ${groups[*]} are installed."
else
    say "setup: missing packages: ${required[*]} ${optional[*]}"
    if [ -z "$dry_run" ]; then
        if [ "$(id -u)" != 0 ] && ! have sudo; then
            die "root is needed. Run this as root:  apt-get update && apt-get install ${required[*]} ${optional[*]}"
        fi
        apt update
        # A JRE of Tomcat's minimum version, where the distribution's default is older.
        for i in "${!optional[@]}"; do
            if [ "${optional[$i]}" = default-jre-headless ]; then
                default=$(apt-cache policy default-jre-headless | sed -n 's/^ *Candidate: *[0-9]*:1\.\([0-9]*\).*/\1/p')
                if [ -z "$default" ] || [ "$default" -lt 17 ]; then optional[i]=openjdk-17-jre-headless; fi
            fi
        done
        for package in "${required[@]}"; do available "$package" || die "package $package is not available here"; done
        install=("${required[@]}")
        for package in "${optional[@]}"; do
            if available "$package"; then
                install+=("$package")
            else
                say "setup: package $package is not available here; going on without it."
            fi
        done
        forbid_services
        if ! apt install -y --no-install-recommends "${install[@]}"; then
            [ ${#optional[@]} -gt 0 ] || die "apt-get failed"
            say "setup: trying again without the optional packages: ${optional[*]}"
            [ ${#required[@]} -eq 0 ] || apt install -y --no-install-recommends "${required[@]}"
        fi
        remove_policy
        for package in "${install[@]}"; do
            case $package in
                apache2 | tomcat10 | jetty9 | redis-server | memcached | postgresql | prometheus)
                    if [ -d /run/systemd/system ]; then
                        say "setup: Debian enables the service $package for the next boot; if you do not want that:"
                        say "    sudo systemctl disable $package"
                    fi
                    ;;
                libapache2-mod-security2)
                    say "setup: Debian's package enables mod_security2 in /etc/apache2 (no effect on make run and the tests)."
                    say "    sudo a2dismod security2    switches it off in the system's httpd"
                    ;;
                libapache2-mod-evasive)
                    say "setup: Debian's package enables mod_evasive in /etc/apache2 (no effect on make run and the tests)."
                    say "    sudo a2dismod evasive    switches it off in the system's httpd"
                    ;;
                libapache2-mod-jk)
                    say "setup: Debian's package enables the original mod_jk in /etc/apache2 (no effect on make run and the tests)."
                    say "    sudo a2dismod jk    switches it off in the system's httpd"
                    ;;
            esac
        done
    fi
fi

if wanted build && [ -n "$rust_missing" ]; then install_rust; fi
if wanted test; then install_schemathesis; fi
if { wanted run || wanted test; } && [ -z "$dry_run" ] && ! tomcat_is_there && ! installed tomcat10; then
    say "setup: no Tomcat; make run uses the small AJP backend of this project instead, live tests with Tomcat are skipped."
fi
