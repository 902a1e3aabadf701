//! Who this process is.

/// The process id, asked of the system each time (a fork changes it).
pub fn pid() -> u32 {
    std::process::id()
}

/// The parent's process id.
pub fn parent_pid() -> u32 {
    std::os::unix::process::parent_id()
}

/// Fills `buffer` from the system's source of randomness.
///
/// # Errors
/// If the kernel has none to give.
pub fn random(buffer: &mut [u8]) -> std::io::Result<()> {
    use std::io::Read;
    std::fs::File::open("/dev/urandom")?.read_exact(buffer)
}
