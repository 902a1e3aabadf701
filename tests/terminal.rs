//! A progress bar on a terminal: what workers print stands on lines of its own above it. Elsewhere there is no bar.

mod session;
mod support;

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use session::{METHODS, Session};
use support::trial::program;

const COLUMNS: usize = 60;

const SCRIPT: &str = r#"
    fn work(x) {
        if x % 4 == 0 { print(`out ${x}`); }
        if x % 4 == 2 { eprint(`err ${x}`); }
        sleep(0.01);
        x
    }

    if __name__ == "__main__" {
        with Pool(2) as pool {
            pool.map(work, 0..20, #{ chunksize: 1, progress: "job" });
            print("after");
        }
    }
"#;

/// What a terminal shows after it was sent `bytes`: of all that moves its cursor it knows what is used here.
fn screen(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let (mut lines, mut column) = (vec![Vec::new()], 0);
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        let line: &mut Vec<char> = lines.last_mut().expect("there is a line");
        match char {
            '\r' => column = 0,
            '\n' => {
                lines.push(vec![' '; column]);
            }
            '\x1b' => match rest.by_ref().find(|char| char.is_ascii_alphabetic()) {
                Some('K') => line.clear(),
                other => panic!("an unknown sequence ends with {other:?}"),
            },
            char => {
                assert!(column < COLUMNS, "a line that is too long: {line:?}");
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = char;
                column += 1;
            }
        }
    }
    lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn lines_of_workers_do_not_tear_the_bar() {
    for method in METHODS {
        let size = Winsize { ws_row: 24, ws_col: COLUMNS as u16, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).expect("a terminal");
        let stream = || Stdio::from(terminal.slave.try_clone().expect("a descriptor"));
        let mut child = Command::new(program())
            .args(["--start-method", method, "-e", SCRIPT])
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("the program");
        drop(terminal.slave);
        let mut bytes = Vec::new();
        // It ends with an error: the other side of the terminal is closed.
        let _ = File::from(terminal.master).read_to_end(&mut bytes);
        assert!(child.wait().expect("the program is ours").success(), "{method}");
        let mut shown = screen(&bytes);
        assert_eq!(shown.pop().as_deref(), Some(""), "{method}: the cursor stands on a line of its own");
        assert_eq!(shown.pop().as_deref(), Some("after"), "{method}: {shown:#?}");
        let bar = shown.pop().unwrap_or_default();
        assert!(bar.starts_with("job █") && bar.contains("20/20"), "{method}: {bar}");
        shown.sort();
        let mut printed: Vec<String> =
            (0..20).step_by(2).map(|x| format!("{} {x}", if x % 4 == 0 { "out" } else { "err" })).collect();
        printed.sort();
        assert_eq!(shown, printed, "{method}");
    }
}

#[test]
fn without_a_terminal_there_is_no_bar() {
    let ended = Session::start(SCRIPT, &[]).end();
    assert_eq!(ended.code, 0);
    assert_eq!(ended.rest.len(), 6, "{:?}", ended.rest);
    let errors: Vec<&str> = ended.stderr.lines().collect();
    assert!(errors.len() == 5 && errors.iter().all(|line| line.starts_with("err ")), "{errors:?}");
}
