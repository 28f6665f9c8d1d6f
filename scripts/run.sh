#!/usr/bin/env bash
# Starts a private httpd with the module and a private Tomcat behind it, and stops both at Ctrl-C. Called by `make run`.
#
# Everything lives below target/run; the system's httpd, its configuration and other servers are not touched.
#
#   PORT=n            where httpd listens on 127.0.0.1 (8080)
#   MODULE=file.so    another module, for example the original mod_jk to compare with
#   APXS=apxs         which httpd
#   CATALINA_HOME=dir an unpacked Tomcat instead of the packaged one
#   NO_TOMCAT=1       use the project's own small AJP backend even if there is a Tomcat
#   RUN_CHECK=1       start, fetch a few pages, print the results, stop; the exit code tells (PORT: a free one)
#   RUN_DIR=dir       state directory (target/run, target/run-check)
# shellcheck disable=SC2317 # the trap calls them
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
export LC_ALL=C

target=${CARGO_TARGET_DIR:-target}
check=${RUN_CHECK:-}
[ "$check" != 0 ] || check=''
if [ -n "$check" ]; then state=${RUN_DIR:-$target/run-check}; else state=${RUN_DIR:-$target/run}; fi
case $state in /*) ;; *) state=$top/$state ;; esac
module=${MODULE:-$target/release/mod_jk_rs.so}
case $module in /*) ;; *) module=$top/$module ;; esac

say() { printf '%s\n' "$*"; }
die() {
    printf '\nmake run: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" >&2
    exit 1
}

# --- What we run ---------------------------------------------------------------------------------------------------------

[ -f "$module" ] || die "the module $module does not exist; run make first."

if [ -z "${APXS:-}" ]; then APXS=$(command -v apxs || command -v apxs2 || true); fi
modules=''
if [ -n "$APXS" ]; then modules=$("$APXS" -q LIBEXECDIR 2>/dev/null || true); fi
[ -n "$modules" ] || die "${APXS:-apxs} was not found or does not work; run make setup, or set APXS=/path/to/apxs."
httpd=$("$APXS" -q SBINDIR)/$("$APXS" -q PROGNAME)
[ -x "$httpd" ] || die "apxs speaks of $httpd, which does not exist; run make setup, or set APXS=/path/to/apxs."
sysconf=$("$APXS" -q SYSCONFDIR)

port=${PORT:-}
case $port in *[!0-9]*) die "PORT must be a number, not $port." ;; esac
if [ -n "$port" ] && { [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; }; then die "PORT must lie between 1 and 65535."; fi

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port_taken() {
    local owner=''
    if command -v ss >/dev/null 2>&1; then owner=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p' | head -n1); fi
    die "port $1 is taken${owner:+ by $owner}. Choose another one:" "    make run PORT=$(($1 < 65000 ? $1 + 1 : 8081))"
}

# --- State directory -----------------------------------------------------------------------------------------------------

# A pid is only ours while its process still names this state directory (pids are used again).
command_of() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true; }
ours() { [ -n "$1" ] && command_of "$1" | grep -qF -- "$state"; }

pids=()
stopped=''
temporary=''
stop_all() {
    [ -z "$stopped" ] || return 0
    stopped=1
    local pid step
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    # Up to ten seconds for an orderly end, then without asking.
    for pid in "${pids[@]}"; do
        step=0
        while kill -0 "$pid" 2>/dev/null && [ "$step" -lt 100 ]; do
            sleep 0.1
            step=$((step + 1))
        done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -f "$state"/*.pid
}
finish() {
    local rc=$?
    trap '' INT TERM HUP
    if [ ${#pids[@]} -gt 0 ] && [ -z "$stopped" ]; then
        [ -n "$check" ] || printf '\nStopping httpd and its backend ...\n'
        stop_all
        [ -n "$check" ] || say "Stopped."
    fi
    [ ! -f "$state/run.pid" ] || [ "$(cat "$state/run.pid")" != $$ ] || rm -f "$state/run.pid"
    if [ -n "$temporary" ] && [ -n "$check" ] && [ "$rc" = 0 ]; then rm -rf "$state"; fi
    exit "$rc"
}

if [ -f "$state/run.pid" ] && other=$(cat "$state/run.pid") && [ "$other" != $$ ] &&
    command_of "$other" | grep -q 'run\.sh'; then
    die "it is already running here (process $other). Stop that one first, or use another directory:" \
        "    make run RUN_DIR=$target/run2 PORT=8081"
fi
# A run that was killed the hard way may have left its servers behind.
for name in httpd backend; do
    if [ -f "$state/$name.pid" ] && old=$(cat "$state/$name.pid") && ours "$old"; then
        say "Stopping a $name that an earlier run left behind (process $old)."
        kill -TERM "$old" 2>/dev/null || true
        for _ in $(seq 100); do ours "$old" || break; sleep 0.1; done
    fi
done
if [ -n "$port" ] || [ -z "$check" ]; then
    port=${port:-8080}
    if in_use "$port"; then port_taken "$port"; fi
fi

# Started by root, httpd's children and Tomcat run as an ordinary user; that user must be able to reach the files.
user=''
if [ "$(id -u)" = 0 ]; then
    for candidate in www-data apache httpd wwwrun http daemon nobody; do
        if id "$candidate" >/dev/null 2>&1; then
            user=$candidate
            break
        fi
    done
    [ -n "$user" ] || die "started by root, but there is no user to run the servers as; start it as an ordinary user."
    command -v setpriv >/dev/null 2>&1 || die "started by root, and setpriv (package util-linux) is missing."
fi
as_user=()
if [ -n "$user" ]; then
    as_user=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups)
fi

mkdir -p "$state"
if [ -n "$user" ] && ! "${as_user[@]}" test -x "$state"; then
    link=$state
    state=$(mktemp -d "/tmp/mod_jk_rs-run.XXXXXX")
    temporary=1
    say "The user $user cannot reach $link; using $state instead."
fi
case $state in *[\"\&\|\\]*) die "the path $state contains characters that cannot be used here; set RUN_DIR." ;; esac
logs=$state/logs
rm -rf "$state/logs" "$state/conf" "$state/htdocs" "$state/tomcat"
mkdir -p "$logs" "$state/conf" "$state/htdocs"
chmod 755 "$state" "$state/htdocs"
trap finish EXIT
trap 'exit 0' INT TERM HUP
echo $$ >"$state/run.pid"

fill() { # fill template NAME=value ...: the template with each @NAME@ replaced, to standard output
    local script=() pair
    local file=$1
    shift
    for pair in "$@"; do script+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
    sed "${script[@]}" "$file"
}

# In a session of its own a server does not get the terminal's Ctrl-C; it is told to stop by us, in order.
detached=()
if command -v setsid >/dev/null 2>&1; then detached=(setsid); fi

alive() { kill -0 "$1" 2>/dev/null; }

# --- Backend: Tomcat -----------------------------------------------------------------------------------------------------

java=''
find_java() {
    local candidate major
    for candidate in "${JAVA_HOME:-}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        [ -x "$candidate" ] || continue
        major=$("$candidate" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n1)
        if [ -n "$major" ] && [ "$major" -ge 17 ]; then
            java=$candidate
            return 0
        fi
    done
    return 1
}
find_tomcat() {
    local candidate
    for candidate in "${CATALINA_HOME:-}" /usr/share/tomcat11 /usr/share/tomcat10 /usr/share/tomcat /opt/tomcat; do
        if [ -n "$candidate" ] && [ -f "$candidate/bin/bootstrap.jar" ]; then
            catalina_home=$candidate
            return 0
        fi
    done
    return 1
}

backend=''
backend_pid=''
backend_name=''
ajp_port=''
secret=''
mounts=''
examples=''
catalina_home=''

start_tomcat() {
    local base=$state/tomcat conf candidate
    conf=$catalina_home/conf
    [ -f "$conf/web.xml" ] || conf=$catalina_home/etc # Debian keeps the originals there
    [ -f "$conf/web.xml" ] || return 1
    secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    mkdir -p "$base/conf/Catalina/localhost" "$base/webapps" "$base/work" "$base/temp"
    (
        umask 077
        fill apache-conf/demo/tomcat/server.xml.in "SECRET=$secret" "LOGS=$logs" >"$base/conf/server.xml"
    )
    cp "$conf/web.xml" "$base/conf/web.xml"
    cp -R apache-conf/demo/webapp "$base/webapps/demo"
    for candidate in "$catalina_home-examples/examples" "$catalina_home/webapps/examples"; do
        if [ -f "$candidate/WEB-INF/web.xml" ]; then
            examples=$candidate
            printf '<Context docBase="%s"><Resources allowLinking="true"/></Context>\n' "$candidate" \
                >"$base/conf/Catalina/localhost/examples.xml"
            # Its pictures need no Java: httpd sends them itself.
            mounts="# Tomcat's own examples; their pictures and other files are sent by httpd itself.
JkMount /examples|/* tomcat
JkUnMount /examples/*.gif tomcat
JkUnMount /examples/*.png tomcat
Alias /examples \"$candidate\"
<Directory \"$candidate\">
    Require all denied
    <FilesMatch \"\\.(gif|png)\$\">
        Require all granted
    </FilesMatch>
</Directory>"
            break
        fi
    done
    chmod -R u+rwX,go+rX "$base/webapps"
    if [ -n "$user" ]; then
        chown -R "$user" "$base"
        # Tomcat writes its access log here; httpd opens its own logs as root.
        install -o "$user" -m 644 /dev/null "$logs/tomcat-access.log"
    fi
    : >"$logs/tomcat.log" # it is searched before the started process has opened it
    "${as_user[@]}" "${detached[@]}" "$java" -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Djava.awt.headless=true -Duser.language=en -Dcatalina.home="$catalina_home" -Dcatalina.base="$base" \
        -Djava.io.tmpdir="$base/temp" \
        --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
        --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
        --add-opens=java.rmi/sun.rmi.transport=ALL-UNNAMED \
        -classpath "$catalina_home/bin/bootstrap.jar:$catalina_home/bin/tomcat-juli.jar" \
        org.apache.catalina.startup.Bootstrap start </dev/null >"$logs/tomcat.log" 2>&1 &
    backend_pid=$!
    pids+=("$backend_pid")
    echo "$backend_pid" >"$state/backend.pid"
    backend=tomcat
}

await_tomcat() {
    local step=0
    while [ "$step" -lt 600 ]; do
        if grep -q 'Server startup in' "$logs/tomcat.log"; then
            ajp_port=$(sed -n 's/.*"ajp-nio-[^"]*-auto-[0-9]*-\([0-9]*\)".*/\1/p' "$logs/tomcat.log" | tail -n1)
            backend_name=$(sed -n 's/.*Starting Servlet engine: \[\(.*\)\].*/\1/p' "$logs/tomcat.log" | tail -n1)
            [ -n "$ajp_port" ] && return 0
            break
        fi
        alive "$backend_pid" || break
        sleep 0.1
        step=$((step + 1))
    done
    die "Tomcat did not start; the end of $logs/tomcat.log:" "$(tail -n 20 "$logs/tomcat.log")"
}

# --- Backend: the small one of this project ------------------------------------------------------------------------------

start_own_backend() {
    local cargo=${CARGO:-cargo}
    [ -f examples/ajp_backend/main.rs ] ||
        die "there is no Tomcat to show; run make setup (Debian, Ubuntu), or set CATALINA_HOME to an unpacked Tomcat."
    "$cargo" build --release --locked --quiet --example ajp_backend || die "the example ajp_backend does not build."
    case $target in
        /*) ;;
        *) target=$top/$target ;;
    esac
    : >"$logs/backend.log"
    "${detached[@]}" "$target/release/examples/ajp_backend" --listen 127.0.0.1:0 \
        </dev/null >"$logs/backend.log" 2>&1 &
    backend_pid=$!
    pids+=("$backend_pid")
    echo "$backend_pid" >"$state/backend.pid"
    backend=own
    backend_name="ajp_backend, the small AJP backend of this project"
}
await_own_backend() {
    local step=0
    while [ "$step" -lt 100 ]; do
        ajp_port=$(sed -n 's/.* on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$logs/backend.log" | head -n1)
        [ -z "$ajp_port" ] || return 0
        alive "$backend_pid" || break
        sleep 0.1
        step=$((step + 1))
    done
    die "the backend did not start; the end of $logs/backend.log:" "$(tail -n 20 "$logs/backend.log")"
}

why_not=''
if [ -n "${NO_TOMCAT:-}" ] && [ "${NO_TOMCAT}" != 0 ]; then
    why_not="NO_TOMCAT is set"
elif ! find_java; then
    why_not="no Java 17 or later was found"
elif ! find_tomcat; then
    why_not="no Tomcat was found"
fi
if [ -z "$why_not" ] && start_tomcat; then
    await_tomcat
else
    say "Going on without Tomcat (${why_not:-its configuration files are not where they were expected})."
    start_own_backend
    await_own_backend
fi

# --- httpd ---------------------------------------------------------------------------------------------------------------

builtin_modules=$("$httpd" -l)
load() { # load name: a LoadModule line, unless the module is compiled in
    if ! grep -q "mod_$1\.c" <<<"$builtin_modules"; then
        [ -f "$modules/mod_$1.so" ] || return 1
        printf 'LoadModule %s_module "%s/mod_%s.so"\n' "$1" "$modules" "$1"
    fi
}
load_mpm() {
    local mpm
    if grep -qE '^ *(event|worker|prefork)\.c' <<<"$builtin_modules"; then return 0; fi
    for mpm in mpm_event mpm_worker mpm_prefork; do
        if load $mpm; then return 0; fi
    done
    return 1
}
write_httpd_conf() {
    {
        load_mpm || die "httpd has no MPM in $modules."
        local name
        for name in unixd log_config authz_core mime dir alias; do
            load $name || die "httpd's module mod_$name was not found in $modules."
        done
        printf 'LoadModule jk_module "%s"\n\n' "$module"
        local identity=''
        if [ -n "$user" ]; then identity="User $user\nGroup \"#$(id -g "$user")\""; fi
        fill apache-conf/demo/httpd.conf.in "STATE=$state" "LOGS=$logs" "HTDOCS=$state/htdocs" "PORT=$port" "USER=$identity" \
            "MIMETYPES=$mime_types" | while IFS= read -r line; do
            if [ "$line" = @MOUNTS@ ]; then printf '%s\n' "$mounts"; else printf '%s\n' "$line"; fi
        done
    } >"$state/conf/httpd.conf"
}

mime_types=/dev/null
for candidate in "$sysconf/mime.types" /etc/mime.types /etc/httpd/mime.types; do
    if [ -f "$candidate" ]; then
        mime_types=$candidate
        break
    fi
done
(
    umask 077
    fill apache-conf/demo/workers.properties.in "AJP_PORT=$ajp_port" \
        "SECRET=${secret:+worker.tomcat.secret=$secret}" >"$state/conf/workers.properties"
)

write_pages() {
    cp apache-conf/demo/htdocs/* "$state/htdocs/"
    local without=() what
    # Blocks between <!--only NAME--> and <!--end NAME--> stay only where they are true.
    for what in tomcat examples own; do
        case $what in
            tomcat) [ $backend = tomcat ] || without+=(-e "/<!--only $what-->/,/<!--end $what-->/d") ;;
            examples) [ -n "$examples" ] || without+=(-e "/<!--only $what-->/,/<!--end $what-->/d") ;;
            own) [ $backend = own ] || without+=(-e "/<!--only $what-->/,/<!--end $what-->/d") ;;
        esac
    done
    sed "${without[@]}" -e '/<!--only [a-z]*-->/d' -e '/<!--end [a-z]*-->/d' apache-conf/demo/htdocs/index.html |
        fill /dev/stdin "STATE=$state" "LOGS=$logs" "PORT=$port" "BACKEND=$backend_name" "AJP_PORT=$ajp_port" \
            "MODULE=$module" >"$state/htdocs/index.html"
    chmod -R go+rX "$state/htdocs"
}

httpd_pid=''
start_httpd() { # 0: answers; 1: the port was taken meanwhile
    write_httpd_conf
    write_pages
    if ! "$httpd" -t -d "$state" -f "$state/conf/httpd.conf" >"$logs/configtest.log" 2>&1; then
        die "httpd does not accept its configuration $state/conf/httpd.conf:" "$(cat "$logs/configtest.log")"
    fi
    "${detached[@]}" "$httpd" -DFOREGROUND -d "$state" -f "$state/conf/httpd.conf" \
        </dev/null >"$logs/httpd.out" 2>&1 &
    httpd_pid=$!
    local backend_pids=("${pids[@]}")
    pids=("$httpd_pid" "${pids[@]}") # httpd first: it stops before its backend
    local step=0
    while [ "$step" -lt 150 ]; do
        if ! alive "$httpd_pid"; then
            wait "$httpd_pid" || true
            pids=("${backend_pids[@]}")
            if grep -qs 'Address already in use' "$logs/httpd.out" "$logs/error.log"; then return 1; fi
            die "httpd did not start." "$(tail -n 20 "$logs/httpd.out" "$logs/error.log" 2>/dev/null)"
        fi
        if curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/hello.txt"; then
            return 0
        fi
        sleep 0.1
        step=$((step + 1))
    done
    die "httpd does not answer on port $port; see $logs/error.log."
}

command -v curl >/dev/null 2>&1 || die "curl was not found; run make setup."
if [ -n "$port" ]; then
    start_httpd || port_taken "$port"
else
    # A port that is free now may be taken a moment later, hence the attempts.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 12000))
        if ! in_use "$port" && start_httpd; then break; fi
        [ $attempt -lt 10 ] || die "found no free port."
    done
fi
url=http://127.0.0.1:$port

# The first answer of a web application can take seconds: wait for it here, not in the browser.
for _ in $(seq 50); do
    code=$(curl -s -o /dev/null --max-time 30 -w '%{http_code}' "$url/demo/" || true)
    case $code in 000 | 503) sleep 0.2 ;; *) break ;; esac
done

# --- Check mode ----------------------------------------------------------------------------------------------------------

failures=0
expect() { # expect name path pattern [curl arguments]: a 200 whose body matches
    local name=$1 path=$2 pattern=$3 body code
    shift 3
    body=$state/check.body
    code=$(curl -s --max-time 30 -o "$body" -w '%{http_code}' "$@" "$url$path" || true)
    if [ "$code" = 200 ] && grep -qE -- "$pattern" "$body"; then
        printf 'ok      %-28s %s %s\n' "$name" "$code" "$path"
    else
        printf 'FAILED  %-28s %s %s (wanted 200 and /%s/)\n' "$name" "$code" "$path" "$pattern"
        failures=$((failures + 1))
    fi
}

if [ -n "$check" ]; then
    say "httpd on port $port with $module, backend: $backend_name"
    expect "start page" / 'mod_jk_rs'
    expect "static file" /hello.txt 'This is a file'
    if [ $backend = tomcat ]; then
        jar=$state/cookies
        rm -f "$jar"
        expect "session counter, first" /demo/counter.jsp 'id="count">1<' -c "$jar"
        expect "session counter, second" /demo/counter.jsp 'id="count">2<' -b "$jar"
        expect "request seen by Tomcat" '/demo/request.jsp?a=%3Cb%3E' '<code>GET /demo/request.jsp</code>.*'
        if [ -n "$examples" ]; then
            expect "JSP" /examples/jsp/jsp2/el/basic-arithmetic.jsp 'Basic Arithmetic'
            expect "servlet" /examples/servlets/servlet/HelloWorldExample 'Hello World'
            expect "picture, sent by httpd" /examples/jsp/images/code.gif 'GIF8'
        fi
    else
        expect "backend" /demo/ '.'
    fi
    # Nothing of this may leave a trace above "warn".
    if grep -E '\[[a-z_]*:?(error|crit|alert|emerg)\]' "$logs/error.log" "$logs/mod_jk.log" 2>/dev/null; then
        say "FAILED  the logs hold errors (above)"
        failures=$((failures + 1))
    fi
    if [ $failures -eq 0 ]; then
        say "run check: all good"
        exit 0
    fi
    say "run check: $failures failed; the logs are in $logs"
    exit 1
fi

# --- Run mode ------------------------------------------------------------------------------------------------------------

short() { # a path, relative to the project where it can be
    printf '%s' "${1#"$top"/}"
}
cat <<END

  $url/

    $url/hello.txt                  a file, sent by httpd
END
if [ $backend = tomcat ]; then
    cat <<END
    $url/demo/counter.jsp           a session counter, by Tomcat
    $url/demo/request.jsp           what Tomcat sees of your request
END
    if [ -n "$examples" ]; then
        cat <<END
    $url/examples/jsp/              Tomcat's JSP examples
    $url/examples/servlets/         Tomcat's servlet examples
END
    fi
else
    cat <<END
    $url/demo/                      answers of the small backend
END
fi
cat <<END

  httpd     process $httpd_pid, module $(short "$module")
  backend   process $backend_pid, $backend_name, AJP on 127.0.0.1:$ajp_port
  config    $(short "$state")/conf/httpd.conf, workers.properties
  logs      $(short "$logs")/access.log (which worker answered), error.log, mod_jk.log, $([ $backend = tomcat ] && echo tomcat.log || echo backend.log)

  Ctrl-C stops both.
END

# A signal interrupts the wait and runs the trap.
while alive "$httpd_pid" && alive "$backend_pid"; do
    wait -n "$httpd_pid" "$backend_pid" || true
done
if alive "$httpd_pid"; then
    say "The backend has ended. httpd goes on without it, so its pages answer 503; Ctrl-C, then make run, starts it again."
    while alive "$httpd_pid"; do wait "$httpd_pid" || true; done
fi
die "httpd ended by itself; the end of $logs/error.log:" "$(tail -n 10 "$logs/error.log")"
