//! Other programs: run one to its end, with what it reads and writes.
//!
//! Invariant: a program is killed when the process that runs it ends, however it ends.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::process::{End, OwnProgram, signal_on_parent_death};

/// How often it is asked whether to go on.
const TICK: Duration = Duration::from_millis(50);
/// Bytes that are read or written at one time.
const PIECE: usize = 64 << 10;

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// What it wrote to standard output.
    pub output: Vec<u8>,
    /// What it wrote to standard error.
    pub errors: Vec<u8>,
}

/// Runs `command`, which gets `input` on standard input, until it ends; `None` if `go_on` said no before, and it
/// was killed.
///
/// # Errors
/// If there is no such program, or the system has no room for it.
pub fn run(
    command: &mut Command,
    input: &[u8],
    mut go_on: impl FnMut() -> bool,
) -> io::Result<Option<Finished>> {
    let _own = OwnProgram::expect();
    let parent = super::identity::pid();
    let tied = move || {
        signal_on_parent_death(libc::SIGKILL);
        // Whoever runs it may be gone already.
        if super::identity::parent_pid() == parent { Ok(()) } else { Err(io::Error::other("orphaned")) }
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: the closure makes system calls only.
    let mut child = unsafe { command.pre_exec(tied) }.spawn()?;
    let watched = watch(&mut child, input, &mut go_on);
    if !matches!(watched, Ok(Some(_))) {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let Some((output, errors)) = watched? else { return Ok(None) };
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or(0)),
    };
    Ok(Some(Finished { end, output, errors }))
}

/// Feeds it and reads what it writes until it has closed both; `None` if `go_on` says no.
fn watch(
    child: &mut Child,
    mut input: &[u8],
    go_on: &mut impl FnMut() -> bool,
) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    for pipe in
        [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
    {
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    loop {
        if input.is_empty() {
            stdin = None;
        }
        if stdout.is_none() && stderr.is_none() && stdin.is_none() {
            // It may live on without them.
            while child.try_wait()?.is_none() {
                if !go_on() {
                    return Ok(None);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            return Ok(Some((output, errors)));
        }
        wait_for_any([
            (stdin.as_ref().map(AsFd::as_fd), PollFlags::POLLOUT),
            (stdout.as_ref().map(AsFd::as_fd), PollFlags::POLLIN),
            (stderr.as_ref().map(AsFd::as_fd), PollFlags::POLLIN),
        ])?;
        if let Some(pipe) = &mut stdin {
            match pipe.write(&input[..input.len().min(PIECE)]) {
                Ok(written) => input = &input[written..],
                Err(error) if again(&error) => {}
                // It does not want to read on.
                Err(_) => input = &[],
            }
        }
        read(&mut stdout, &mut output)?;
        read(&mut stderr, &mut errors)?;
        if !go_on() {
            return Ok(None);
        }
    }
}

fn wait_for_any(pipes: [(Option<BorrowedFd<'_>>, PollFlags); 3]) -> io::Result<()> {
    let wanted = pipes.into_iter().filter_map(|(pipe, what)| Some(PollFd::new(pipe?, what)));
    let mut wanted: Vec<PollFd> = wanted.collect();
    let tick = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
    match poll(&mut wanted, tick) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads what is there; at its end the pipe is let go of.
fn read(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut piece = [0; PIECE];
    match open.read(&mut piece) {
        Ok(0) => *pipe = None,
        Ok(count) => into.extend_from_slice(&piece[..count]),
        Err(error) if again(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_reads_and_writes_may_be_more_than_pipes_hold() {
        let input = vec![b'x'; 1 << 20];
        let finished = run(&mut shell("cat; head -c 300000 /dev/zero >&2; exit 3"), &input, || true);
        let finished = finished.expect("there is a shell").expect("it ends");
        assert_eq!(
            (finished.end, finished.output.len(), finished.errors.len()),
            (End::Exited(3), 1 << 20, 300_000)
        );
    }

    #[test]
    fn it_need_not_read_and_may_be_stopped() {
        let finished = run(&mut shell("exec <&-; echo done"), &vec![0; 1 << 20], || true);
        assert_eq!(finished.expect("there is a shell").expect("it ends").output, b"done\n");
        let mut looks = 0;
        let stopped = run(&mut shell("exec sleep 1000"), b"", || {
            looks += 1;
            looks < 3
        });
        assert!(stopped.expect("there is a shell").is_none());
    }
}
