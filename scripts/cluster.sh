#!/usr/bin/env bash
# Two private Tomcats that copy their sessions to each other, behind a private httpd with the module: kill one of them and see the
# session survive. Called by `make cluster`; Ctrl-C stops all. Everything lives below target/cluster, on loopback.
#
#   PORT=n            where httpd listens on 127.0.0.1 (8080)
#   MODULE=file.so    another module, for example the original mod_jk to compare with
#   APXS=apxs         which httpd
#   CATALINA_HOME=dir an unpacked Tomcat instead of the packaged one
#   RUN_CHECK=1       count, kill the node of the session, count on, twice; print the results and stop; the exit code tells
#   RUN_DIR=dir       state directory (target/cluster, target/cluster-check)
#
# The configuration of Tomcat and the workers are the pieces of docs/sessions.md with other addresses.
# shellcheck disable=SC2317 # the trap calls them
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
export LC_ALL=C

target=${CARGO_TARGET_DIR:-target}
check=${RUN_CHECK:-}
[ "$check" != 0 ] || check=''
if [ -n "$check" ]; then state=${RUN_DIR:-$target/cluster-check}; else state=${RUN_DIR:-$target/cluster}; fi
case $state in /*) ;; *) state=$top/$state ;; esac
module=${MODULE:-$target/release/mod_jk_rs.so}
case $module in /*) ;; *) module=$top/$module ;; esac
nodes=(node1 node2)

say() { printf '%s\n' "$*"; }
die() {
    printf '\nmake cluster: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" >&2
    exit 1
}
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# --- What we run ---------------------------------------------------------------------------------------------------------

[ -f "$module" ] || die "the module $module does not exist; run make first."
command -v curl >/dev/null 2>&1 || die "curl was not found; run make setup SETUP=cluster."
if [ -z "${APXS:-}" ]; then APXS=$(command -v apxs || command -v apxs2 || true); fi
modules=''
if [ -n "$APXS" ]; then modules=$("$APXS" -q LIBEXECDIR 2>/dev/null || true); fi
[ -n "$modules" ] || die "${APXS:-apxs} was not found or does not work; run make setup, or set APXS=/path/to/apxs."
httpd=$("$APXS" -q SBINDIR)/$("$APXS" -q PROGNAME)
[ -x "$httpd" ] || die "apxs speaks of $httpd, which does not exist; run make setup, or set APXS=/path/to/apxs."
java=java
if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
command -v "$java" >/dev/null 2>&1 || die "no Java was found; run make setup SETUP=cluster."
catalina_home=''
for candidate in "${CATALINA_HOME:-}" /usr/share/tomcat11 /usr/share/tomcat10 /usr/share/tomcat /opt/tomcat; do
    if [ -n "$candidate" ] && [ -f "$candidate/bin/bootstrap.jar" ]; then
        catalina_home=$candidate
        break
    fi
done
[ -n "$catalina_home" ] || die "no Tomcat was found; run make setup SETUP=cluster, or set CATALINA_HOME."
catalina_conf=$catalina_home/conf
[ -f "$catalina_conf/web.xml" ] || catalina_conf=$catalina_home/etc # Debian keeps the originals there
[ -f "$catalina_conf/web.xml" ] || die "the Tomcat in $catalina_home has no web.xml."
port=${PORT:-}
case $port in *[!0-9]*) die "PORT must be a number, not $port." ;; esac

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
chosen=' '
free_port() { # into the variable named $1; below the range the system uses for outgoing connections
    local candidate
    for _ in $(seq 200); do
        candidate=$((20000 + RANDOM % 12000))
        case $chosen in *" $candidate "*) continue ;; esac
        if ! in_use "$candidate"; then
            chosen="$chosen$candidate "
            printf -v "$1" %s "$candidate"
            return 0
        fi
    done
    die "found no free port."
}

# --- State directory -----------------------------------------------------------------------------------------------------

declare -A pid ajp receiver
httpd_pid=''
finish() {
    local rc=$? process step
    trap '' INT TERM HUP
    [ -n "$check" ] || printf '\nStopping httpd and the nodes ...\n'
    for process in "$httpd_pid" "${pid[@]}"; do
        if alive "$process"; then kill -TERM "$process" 2>/dev/null || true; fi
    done
    for process in "$httpd_pid" "${pid[@]}"; do
        step=0
        while alive "$process" && [ "$step" -lt 100 ]; do
            sleep 0.1
            step=$((step + 1))
        done
        if alive "$process"; then kill -KILL "$process" 2>/dev/null || true; fi
        [ -z "$process" ] || wait "$process" 2>/dev/null || true
    done
    rm -f "$state"/*.pid
    [ -n "$check" ] || say "Stopped."
    exit "$rc"
}

# A pid is only ours while its process still names this state directory (pids are used again).
command_of() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true; }
if [ -f "$state/run.pid" ] && other=$(cat "$state/run.pid") && [ "$other" != $$ ] && command_of "$other" | grep -q 'cluster\.sh'; then
    die "it is already running here (process $other). Stop that one first, or: make cluster RUN_DIR=$target/cluster2 PORT=8081"
fi
for file in "$state"/*.pid; do # left behind by a run that was killed the hard way
    [ -f "$file" ] || continue
    old=$(cat "$file")
    if command_of "$old" | grep -qF -- "$state"; then
        say "Stopping what an earlier run left behind (process $old)."
        kill -TERM "$old" 2>/dev/null || true
        for _ in $(seq 100); do alive "$old" || break; sleep 0.1; done
    fi
done

# Started by root, httpd's children and Tomcat run as an ordinary user.
user=''
as_user=()
if [ "$(id -u)" = 0 ]; then
    for candidate in www-data apache httpd wwwrun http daemon nobody; do
        if id "$candidate" >/dev/null 2>&1; then
            user=$candidate
            break
        fi
    done
    [ -n "$user" ] || die "started by root, but there is no user to run the servers as; start it as an ordinary user."
    command -v setpriv >/dev/null 2>&1 || die "started by root, and setpriv (package util-linux) is missing."
    as_user=(setpriv "--reuid=$(id -u "$user")" "--regid=$(id -g "$user")" --clear-groups)
fi
mkdir -p "$state"
if [ -n "$user" ] && ! "${as_user[@]}" test -x "$state"; then
    say "The user $user cannot reach $state; using a directory in /tmp."
    state=$(mktemp -d /tmp/mod_jk_rs-cluster.XXXXXX)
fi
case $state in *[\"\&\|\\\<]*) die "the path $state contains characters that cannot be used here; set RUN_DIR." ;; esac
rm -rf "$state/logs" "$state/conf" "$state/htdocs" "$state/node1" "$state/node2"
mkdir -p "$state/logs" "$state/conf" "$state/htdocs"
chmod 755 "$state" "$state/htdocs"
trap finish EXIT
trap 'exit 0' INT TERM HUP
echo $$ >"$state/run.pid"

# --- The pieces of docs/sessions.md --------------------------------------------------------------------------------------

piece() { # piece name: the fenced block behind <!-- tested: name -->
    awk -v mark="<!-- tested: $1 -->" '
        $0 == mark { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' docs/sessions.md
}
fill() { # fill NAME=value ...: standard input with each NAME replaced
    local script=() pair
    for pair in "$@"; do script+=(-e "s|${pair%%=>*}|${pair#*=>}|g"); done
    sed "${script[@]}"
}
secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
number=''
for node in "${nodes[@]}"; do
    free_port number
    ajp[$node]=$number
    free_port number
    receiver[$node]=$number
done

write_node() { # write_node name number other-name other-number
    local base=$state/$1
    mkdir -p "$base/conf/Catalina/localhost" "$base/webapps/app/WEB-INF" "$base/work" "$base/temp"
    cp "$catalina_conf/web.xml" "$base/conf/web.xml"
    cp apache-conf/cluster/webapp/* "$base/webapps/app/"
    piece distributable | fill '</web-app>=><welcome-file-list><welcome-file>index.jsp</welcome-file></welcome-file-list></web-app>' \
        >"$base/webapps/app/WEB-INF/web.xml"
    piece cluster-delta | fill \
        "address=\"10.0.0.11\" port=\"4000\"=>address=\"127.0.0.1\" port=\"${receiver[$1]}\"" \
        "host=\"10.0.0.12\" port=\"4000\"=>host=\"127.0.0.1\" port=\"${receiver[$3]}\"" \
        ",0,2}=>,0,other}" ",0,1}=>,0,$2}" ",0,other}=>,0,$4}" >"$state/conf/cluster-$1.xml"
    (
        umask 077
        piece server | fill "address=\"10.0.0.11\" port=\"8009\"=>address=\"127.0.0.1\" port=\"${ajp[$1]}\"" \
            "jvmRoute=\"node1\"=>jvmRoute=\"$1\"" "change-me-change-me=>$secret" |
            sed -e "/<!-- Cluster: /{r $state/conf/cluster-$1.xml" -e 'd}' >"$base/conf/server.xml"
    )
    grep -q SimpleTcpCluster "$base/conf/server.xml" || die "docs/sessions.md does not have the expected pieces."
    if [ -n "$user" ]; then chown -R "$user" "$base"; fi
}
write_node node1 1 node2 2
write_node node2 2 node1 1

# In a session of its own a server does not get the terminal's Ctrl-C; it is told to stop by us.
detached=()
if command -v setsid >/dev/null 2>&1; then detached=(setsid); fi
start_node() {
    local base=$state/$1
    : >"$state/logs/$1.log"
    "${as_user[@]}" "${detached[@]}" "$java" -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true \
        -Duser.language=en -Djava.net.preferIPv4Stack=true -Dcluster.node="$1" \
        -Dcatalina.home="$catalina_home" -Dcatalina.base="$base" -Djava.io.tmpdir="$base/temp" \
        -classpath "$catalina_home/bin/bootstrap.jar:$catalina_home/bin/tomcat-juli.jar" \
        org.apache.catalina.startup.Bootstrap start </dev/null >"$state/logs/$1.log" 2>&1 &
    pid[$1]=$!
    disown "${pid[$1]}" # the shell shall not comment on its death
    echo "${pid[$1]}" >"$state/$1.pid"
}
await_node() {
    for _ in $(seq 600); do
        if grep -q 'Server startup in' "$state/logs/$1.log"; then return 0; fi
        alive "${pid[$1]}" || break
        sleep 0.1
    done
    die "$1 did not start; the end of $state/logs/$1.log:" "$(tail -n 20 "$state/logs/$1.log")"
}
say "Starting two Tomcats and httpd ..."
for node in "${nodes[@]}"; do start_node "$node"; done
await_member() { # until httpd uses the node again; its probe finds it within about a second
    local _
    grep -q JK0005 "$state/logs/mod_jk.log" || return 0 # another module, which does not tell
    for _ in $(seq 100); do
        if grep 'JK022[12]' "$state/logs/mod_jk.log" | grep "member $1 " | tail -n 1 | grep -q JK0222; then return; fi
        sleep 0.1
    done
    die "httpd does not use $1 again; see $state/logs/mod_jk.log."
}
for node in "${nodes[@]}"; do await_node "$node"; done
for node in "${nodes[@]}"; do
    for _ in $(seq 300); do
        if grep -q 'Replication member added' "$state/logs/$node.log"; then continue 2; fi
        sleep 0.1
    done
    die "$node has not found the other node; see $state/logs/$node.log."
done

# --- httpd ---------------------------------------------------------------------------------------------------------------

(
    umask 077
    piece workers | fill "change-me-change-me=>$secret" 'worker\.maintain=10=>worker.maintain=1' 'recover_time=10=>recover_time=2' \
        "node1\.host=10.0.0.11=>node1.host=127.0.0.1" "node1\.port=8009=>node1.port=${ajp[node1]}" \
        "node2\.host=10.0.0.12=>node2.host=127.0.0.1" "node2\.port=8009=>node2.port=${ajp[node2]}" >"$state/conf/workers.properties"
)
builtin_modules=$("$httpd" -l)
load() { # load name: a LoadModule line, unless the module is compiled in
    if ! grep -q "mod_$1\.c" <<<"$builtin_modules"; then
        [ -f "$modules/mod_$1.so" ] || return 1
        printf 'LoadModule %s_module "%s/mod_%s.so"\n' "$1" "$modules" "$1"
    fi
}
if [ -z "$port" ]; then
    if [ -n "$check" ]; then free_port port; else port=8080; fi
fi
if in_use "$port"; then die "port $port is taken. Choose another one:  make cluster PORT=8081"; fi
{
    grep -qE '^ *(event|worker|prefork)\.c' <<<"$builtin_modules" || load mpm_event || load mpm_worker || load mpm_prefork ||
        die "httpd has no MPM in $modules."
    for name in unixd log_config authz_core alias; do load $name || die "httpd's module mod_$name was not found in $modules."; done
    printf 'LoadModule jk_module "%s"\n\n' "$module"
    identity=''
    if [ -n "$user" ]; then identity="User $user\\nGroup \"#$(id -g "$user")\""; fi
    fill "@STATE@=>$state" "@PORT@=>$port" "@USER@=>$identity" <apache-conf/cluster/httpd.conf.in
} >"$state/conf/httpd.conf"
if ! "$httpd" -t -d "$state" -f "$state/conf/httpd.conf" >"$state/logs/configtest.log" 2>&1; then
    die "httpd does not accept its configuration $state/conf/httpd.conf:" "$(cat "$state/logs/configtest.log")"
fi
"${detached[@]}" "$httpd" -DFOREGROUND -d "$state" -f "$state/conf/httpd.conf" </dev/null >"$state/logs/httpd.out" 2>&1 &
httpd_pid=$!
url=http://127.0.0.1:$port/app/
answered=''
for _ in $(seq 300); do
    alive "$httpd_pid" || die "httpd did not start." "$(tail -n 20 "$state/logs/httpd.out" "$state/logs/error.log" 2>/dev/null)"
    # Each node once, so that the first page of a person needs no compiler.
    if curl -sf -o /dev/null --max-time 30 "$url" && curl -sf -o /dev/null --max-time 30 "$url"; then
        answered=1
        break
    fi
    sleep 0.1
done
[ -n "$answered" ] || die "httpd does not answer on port $port; see $state/logs/error.log and mod_jk.log."

# --- Check mode ----------------------------------------------------------------------------------------------------------

if [ -n "$check" ]; then
    jar=$state/cookies
    rm -f "$jar"
    failures=0
    count() { # count name wanted-number [node it must not be]
        local answer node
        answer=$(curl -s --max-time 30 -b "$jar" -c "$jar" -w ' status=%{http_code} seconds=%{time_total}' "$url?as=text" | tr '\n' ' ')
        node=$(sed -n 's/.*node=\([^ ]*\).*/\1/p' <<<"$answer")
        if grep -q "^count=$2 .*status=200" <<<"$answer" && [ -n "$node" ] && [ "$node" != "${3:-}" ]; then
            printf 'ok      %-34s %s\n' "$1" "$answer"
        else
            printf 'FAILED  %-34s %s (wanted count=%s%s)\n' "$1" "$answer" "$2" "${3:+, not from $3}"
            failures=$((failures + 1))
        fi
        owner=$node
    }
    owner=''
    count "a new session" 1
    count "the same session" 2
    first=$owner
    kill -KILL "${pid[$first]}"
    count "$first was killed" 3 "$first"
    count "and again" 4 "$first"
    start_node "$first"
    await_node "$first"
    await_member "$first"
    second=$owner
    if [ -n "$second" ]; then kill -KILL "${pid[$second]}"; fi
    count "$first is back, $second was killed" 5 "$second"
    count "and again" 6 "$second"
    if [ $failures -eq 0 ]; then
        say "cluster check: all good"
        exit 0
    fi
    say "cluster check: $failures failed; the logs are in $state/logs"
    exit 1
fi

# --- Run mode ------------------------------------------------------------------------------------------------------------

show() { printf '%s' "${1#"$top"/}"; }
kills() {
    for node in "${nodes[@]}"; do
        if alive "${pid[$node]}"; then printf '    kill -9 %-8s # %s\n' "${pid[$node]}" "$node"; fi
    done
}
cat <<END

  $url     reload it: the number in your session goes up

  Or in another terminal, once a second:
    jar=\$(mktemp); while curl -s -b \$jar -c \$jar '$url?as=text'; do sleep 1; done

  Kill the node that answers; the other one goes on with the same number:
$(kills)

  httpd     process $httpd_pid, module $(show "$module")
  nodes     AJP on 127.0.0.1:${ajp[node1]} and :${ajp[node2]}
  config    $(show "$state")/conf, node1/conf/server.xml, node2/conf/server.xml
  logs      $(show "$state")/logs: access.log (which node answered), mod_jk.log, node1.log, node2.log

  Enter starts killed nodes again, Ctrl-C stops all.
END

declare -A told
pause() { # a second, or until Enter: then 0
    if [ -t 0 ]; then read -t 1 -r _; else
        sleep 1 &
        wait $! || true
        return 1
    fi
}
while alive "$httpd_pid"; do
    again=''
    if pause; then again=1; fi
    for node in "${nodes[@]}"; do
        if alive "${pid[$node]}"; then continue; fi
        if [ -n "$again" ]; then
            start_node "$node"
            await_node "$node"
            told[$node]=''
            say "$node is back:  kill -9 ${pid[$node]}"
        elif [ -z "${told[$node]:-}" ]; then
            told[$node]=1
            say "$node is dead. Reload the page; Enter starts it again."
        fi
    done
done
die "httpd ended by itself; the end of $state/logs/error.log:" "$(tail -n 10 "$state/logs/error.log")"
