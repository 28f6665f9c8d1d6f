#!/usr/bin/env bash
# Runs every fuzz target for a few seconds. The corpus itself is replayed by `make test`, without any extra tool.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
dir=tests/fuzz
cargo=${CARGO:-cargo}

if [ ! -f "$dir/Cargo.toml" ]; then
    echo "There are no fuzz targets in $dir." >&2
    exit 1
fi
if ! "$cargo" +nightly fuzz --version >/dev/null 2>&1; then
    echo "Fuzzing needs a nightly compiler and cargo-fuzz:" >&2
    echo "    rustup toolchain install nightly --profile minimal" >&2
    echo "    cargo install cargo-fuzz --locked" >&2
    exit 1
fi
# cargo-fuzz keeps its own build tree; the module's would be rebuilt with sanitizers.
unset CARGO_TARGET_DIR
mapfile -t targets < <("$cargo" +nightly fuzz list --fuzz-dir "$dir")
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    "$cargo" +nightly fuzz run --fuzz-dir "$dir" "$target" -- -max_total_time="$seconds" -rss_limit_mb=1024
done
echo "${#targets[@]} fuzz targets, no failure"
