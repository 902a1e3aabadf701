//! What the machine lets this process have: processors, memory, stack.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Processors that this process may use: at least 1. Affinity and the cgroup's quota are respected.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Whether this process may use one processor only, going by its affinity: cheaper to ask than [`cpu_count`].
pub fn one_processor() -> bool {
    sched_getaffinity(Pid::from_raw(0)).is_ok_and(|set| {
        let processors = (0..CpuSet::count()).filter(|number| set.is_set(*number).unwrap_or(false));
        processors.take(2).count() < 2
    })
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

/// Raises the number of descriptors that this process may have to what the system lets it have.
pub fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where that is not allowed, it has what it has.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Bytes of memory that only this process has: what it shares with others is not its own.
pub fn own_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = text.split(' ').skip(1).filter_map(|count| count.parse::<u64>().ok());
    let resident = pages.next().unwrap_or(0);
    resident.saturating_sub(pages.next().unwrap_or(0)) * super::memory::page_size() as u64
}

/// How many processes the kernel has killed in this process's cgroup because its memory was used up; `None` if
/// it does not say.
pub fn out_of_memory_kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let events = groups.lines().find_map(|line| match line.split_once(':')?.1.split_once(':')? {
        ("", path) => Some(format!("/sys/fs/cgroup{path}/memory.events")),
        ("memory", path) => Some(format!("/sys/fs/cgroup/memory{path}/memory.oom_control")),
        _ => None,
    })?;
    // In a container the path may be one that only the host knows: the root is its own group then.
    let root = if events.ends_with("events") {
        "/sys/fs/cgroup/memory.events"
    } else {
        "/sys/fs/cgroup/memory/memory.oom_control"
    };
    let text = std::fs::read_to_string(events).or_else(|_| std::fs::read_to_string(root)).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
