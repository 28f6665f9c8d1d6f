//! What the operating system says about processes.

/// CPU time of all threads of these processes, user and system, in nanoseconds.
///
/// Threads that ended are not counted; the servers keep theirs.
pub(crate) fn cpu_nanos(pids: &[u32]) -> u64 {
    pids.iter()
        .flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten())
        .map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0)
        })
        .sum()
}

/// A line of `/proc/PID/FILE` in KiB, as `VmRSS: 1234 kB`.
pub(crate) fn kib(pid: u32, file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {file} of process {pid}"))
}

/// Makes the peak of the resident memory (`VmHWM`) begin anew.
pub(crate) fn reset_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("/proc/PID/clear_refs");
}
