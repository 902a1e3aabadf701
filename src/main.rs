//! The binary: everything is in the library.

fn main() {
    stook::cli::main();
}
