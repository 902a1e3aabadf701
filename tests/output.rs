//! What several processes print at one time comes out in whole lines, however long they are.

mod support;

use std::time::Duration;

use support::run::{End, Place};
use support::trial::program;

/// Two processes print short lines, two long ones, each of a letter of its own.
const LETTERS: &str = r#"
    fn write(out, letter, size, count) {
        let line = "";
        line.pad(size, letter);
        for i in 0..count { if out { print(line); } else { eprint(line); } }
    }

    if __name__ == "__main__" {
        for out in [true, false] {
            for letter in ['a', 'b'] { Process(write, [out, letter, 3_000, 300]).start(); }
            for letter in ['c', 'd'] { Process(write, [out, letter, 100_000, 10]).start(); }
        }
    }
"#;

/// The lines of each letter, all as long as they should be.
fn whole(text: &str) -> [usize; 4] {
    let count = |letter: char, size: usize| {
        let line = String::from(letter).repeat(size);
        text.lines().filter(|other| *other == line).count()
    };
    [count('a', 3_000), count('b', 3_000), count('c', 100_000), count('d', 100_000)]
}

#[test]
fn lines_of_several_processes_are_not_mixed() {
    for method in ["spawn", "fork", "forkserver"] {
        let place = Place::new().expect("a folder");
        let args = ["--start-method", method, "-e", LETTERS];
        let run = place.run(program(), &args, "", Duration::from_secs(60)).expect("the program");
        assert_eq!(run.end, End::Code(0), "{method}");
        for text in [&run.stdout, &run.stderr] {
            assert_eq!(whole(text), [300, 300, 10, 10], "{method}");
            assert_eq!(text.lines().count(), 620, "{method}");
        }
        assert!(run.left.is_empty(), "{method}: {:?}", run.left);
    }
}
