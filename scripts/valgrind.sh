#!/bin/sh
# The live tests of requests that wait without a thread, with httpd under valgrind. Reports that name the module fail a test;
# those of httpd and its libraries alone do not count.
#
# usage: scripts/valgrind.sh [memcheck|helgrind|drd] [names of tests]
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
if [ $# -eq 0 ]; then
    set -- event:: clients_ requests limit children graceful restart another_member upload slow_reader
fi
exec ${CARGO:-cargo} test --locked --test live_async -- --test-threads=1 "$@"
