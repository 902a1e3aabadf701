//! A worker that the kernel kills because the memory of its control group is used up: the error says so.
//!
//! The test makes a group inside its own. Where the system does not let it, it says so and tests nothing: the words
//! of the error are tested beside the code.

mod session;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use session::Session;

const LIMIT: &str = "209715200"; // 200 MiB

const SCRIPT: &str = r#"
    fn work(x) { if x == 2 { blob(700 << 20, 1).len() } else { x } }

    if __name__ == "__main__" {
        write_text(args[0] + "/cgroup.procs", `${getpid()}`);
        with Pool(2) as pool {
            let results = pool.map(work, 0..4, #{ chunksize: 1, on_error: "collect" });
            let error = results[2];
            results[2] = ();
            print(results);
            print([error.kind, error.data.task, error.data.signal, error.data.out_of_memory]);
            print(error.message.contains("was killed by the kernel: out of memory (SIGKILL) while it worked at task 2"));
            print(pool.map(work, [5, 6]));
        }
    }
"#;

/// A control group whose memory is limited; it is taken away when this is dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Result<Self, String> {
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let line = groups.lines().find(|line| line.contains(":memory:")).or_else(|| groups.lines().last());
        let line = line.ok_or("there are no control groups")?;
        let path = line.rsplit(':').next().unwrap_or_default();
        let (root, limit) = if line.contains(":memory:") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            ("/sys/fs/cgroup", "memory.max")
        };
        let own = Path::new(root).join(path.trim_start_matches('/'));
        if limit == "memory.max" {
            // It may be so already, or not be allowed: then the limit can't be set.
            let _ = fs::write(own.join("cgroup.subtree_control"), "+memory");
        }
        let group = own.join(format!("stook-test-{}", std::process::id()));
        fs::create_dir(&group).map_err(|error| format!("{}: {error}", group.display()))?;
        let group = Self(group);
        let limited = fs::write(group.0.join(limit), LIMIT);
        limited.map_err(|error| format!("{}: {error}", group.0.join(limit).display()))?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_kernel_kills_the_largest_and_the_error_says_so() {
    let group = match Group::new() {
        Ok(group) => group,
        Err(reason) => return eprintln!("skipped: no control group with a limit can be made: {reason}"),
    };
    let mut session = Session::start(SCRIPT, &[group.0.to_str().expect("a path in UTF-8")]);
    let lines: Vec<String> = (0..4).map(|_| session.line()).collect();
    assert_eq!(lines, ["[0, 1, (), 3]", r#"["WorkerLost", 2, 9, true]"#, "true", "[5, 6]"]);
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
