//! What the machine lets this process have: processors, memory, stack.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Processors that this process may use: at least 1. Affinity and the cgroup's quota are respected.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Bytes of memory that this machine, or the cgroup it gave us, has in all.
pub fn memory_total() -> u64 {
    let physical = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(u64::MAX, |kib| kib.saturating_mul(1024));
    let cgroup = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok())
        .unwrap_or(u64::MAX);
    physical.min(cgroup)
}

/// Raises the stack's soft limit to at most `wanted` bytes and says what it is then.
///
/// The main thread's stack grows on demand up to this limit, also when it is raised after the start.
pub fn raise_stack_limit(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_STACK) else { return 8 << 20 };
    let target = wanted.min(hard);
    if soft >= target || setrlimit(Resource::RLIMIT_STACK, target, hard).is_err() {
        return soft;
    }
    target
}
