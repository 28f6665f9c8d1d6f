#!/bin/sh
# Live tests with httpd under valgrind: requests that wait without a thread at every stage, HTTP workers without
# TLS, tunnels. Reports that name the module fail a test; those of httpd and its libraries alone do not count.
#
# usage: scripts/valgrind.sh [memcheck|helgrind|drd] [names of tests of live_async]
#
# memcheck: invalid and uninitialised memory, memory that is lost. helgrind and drd do not know the locks of the module
# (they are made of futexes), so they report much that is none; they are for a look, not for a verdict.
set -eu
tool=${1:-memcheck}
[ $# -eq 0 ] || shift
command -v valgrind >/dev/null || { echo 'valgrind is missing: apt-get install valgrind' >&2; exit 1; }
case $tool in
    memcheck) options='--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30' ;;
    *) options='--num-callers=20' ;;
esac
# Children write after they have given root up: the file is opened before. No `%p`: a child goes on in its parent's file.
MODJK_TOOL="valgrind --tool=$tool -q --fair-sched=yes $options --log-file=@ROOT@/logs/tool.%p"
export MODJK_TOOL

# run FILE NAMES...: those tests of that file.
run() {
    file=$1
    shift
    ${CARGO:-cargo} test --locked --test "$file" -- --test-threads=1 "$@" || failed="$failed $file"
}

failed=
if [ $# -gt 0 ]; then
    run live_async "$@"
else
    run live_async event:: clients_ requests limit children graceful restart another_member upload slow_reader \
        pool queue connecting_ connections_ eight_threads
    # Not the test of restarts, in which tunnels may last for less time than a new process takes to start here, and not that of
    # slow sides, which measures the memory of httpd.
    run live_upgrade event:: many:: paths:: tls_at_the_front another_path chosen_member --skip slow_sides
    # These have no mode of their own. Not over TLS: memcheck takes what the assembly of ring encrypts for uninitialised, and
    # reports every record that is sent and every tag that is compared.
    MODJK_CONF='JkAsync On
JkAsyncDelay 0' run live_http relay::http:: relay::unix:: mixed::event
fi
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
