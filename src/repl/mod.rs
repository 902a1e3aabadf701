//! The prompt: what is entered is a program that grows.
//!
//! Every entry is added to the process's program before it is run, so functions and closures entered here
//! work in started processes: their texts travel like a script's.
//!
//! | file | concept |
//! |---|---|
//! | `complete` | whether an entry goes on in the next line |
//! | `session` | the variables and functions entered so far |

mod complete;
mod session;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::script::time;
use complete::Entry;
use session::{Next, Session};

const GREETING: &str =
    concat!("stook ", env!("CARGO_PKG_VERSION"), ": Rhai on many processes. Ctrl-D or exit() leaves.");

/// Reads and runs entries until the end of input or `exit`; gives the exit code.
pub fn repl() -> i32 {
    let config = Config::builder().auto_add_history(true).max_history_size(10_000);
    let config = config.map_or_else(|_| Config::default(), |config| config.build());
    let mut editor: Editor<Entry, FileHistory> = match Editor::with_config(config) {
        Ok(editor) => editor,
        Err(error) => {
            time::eprint(&format!("stook: this terminal can't be read: {error}"));
            return 1;
        }
    };
    let mut session = Session::new();
    editor.set_helper(Some(Entry::default()));
    let history = history_file();
    if let Some(path) = &history {
        // There is none before the first time.
        let _ = editor.load_history(path);
    }
    time::print(GREETING);
    let code = loop {
        match editor.readline("stook> ") {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => match session.run(&text) {
                Next::Entry => {}
                Next::Exit(code) => break code,
            },
            Err(ReadlineError::Interrupted) => time::eprint("KeyboardInterrupt"),
            Err(ReadlineError::Eof) => break 0,
            Err(error) => {
                time::eprint(&format!("stook: {error}"));
                break 1;
            }
        }
    };
    if let Some(path) = &history {
        // A history that can't be kept is no reason to disturb anybody.
        let _ = editor.save_history(path);
    }
    code
}

/// Where the entries of earlier sessions are kept: `stook/history` in the user's state directory.
fn history_file() -> Option<std::path::PathBuf> {
    use etcetera::BaseStrategy;
    let strategy = etcetera::choose_base_strategy().ok()?;
    let directory = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("stook");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}
