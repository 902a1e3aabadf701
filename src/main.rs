//! The binary: everything is in the library.

/// Start-up and small values are where a script's time goes; this allocator is quicker at both than the
/// system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    stook::cli::main();
}
