//! Tests made from scripts: one for each start method that the program offers and the script wants, and one in which
//! every function that can be becomes machine code at its first call.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use libtest_mimic::{Failed, Trial};

use super::behaviours;
use super::case::{Case, Methods};
use super::run::{HANG, Place, Run};
use super::verdict::judge;

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stook"))
}

/// The start methods that the program offers.
///
/// # Errors
/// If it can't say.
pub fn offered_methods() -> Result<Vec<String>, String> {
    let question = "stook --list-start-methods";
    let answer = Command::new(program())
        .arg("--list-start-methods")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{question}: {error}"))?;
    let methods: Vec<String> = String::from_utf8_lossy(&answer.stdout).lines().map(str::to_owned).collect();
    if !answer.status.success() || methods.is_empty() {
        return Err(format!(
            "{question} gave {}, {}",
            answer.status,
            String::from_utf8_lossy(&answer.stderr)
        ));
    }
    Ok(methods)
}

/// What makes every function machine code at its first call.
const NATIVE: &str = "--native=always";

/// How a test runs its script.
#[derive(Clone)]
struct Manner {
    /// The last part of the test's name.
    name: String,
    /// What is given on the command line.
    options: Vec<String>,
    /// Whether the program offers it.
    offered: bool,
}

impl Manner {
    fn by(method: &str, offered: &[String]) -> Self {
        match method {
            "any" => Self { name: method.to_owned(), options: Vec::new(), offered: true },
            _ => Self {
                name: method.to_owned(),
                options: vec!["--start-method".to_owned(), method.to_owned()],
                offered: offered.iter().any(|offered| offered == method),
            },
        }
    }

    fn native(self) -> Self {
        let options = [self.options, vec![NATIVE.to_owned()]].concat();
        Self { name: "native".to_owned(), options, ..self }
    }
}

/// The tests of one script, named `NAME::METHOD`, and `NAME::native`.
pub fn of_script(name: &str, script: &Path, offered: &[String]) -> Vec<Trial> {
    let case = fs::read_to_string(script).map_err(|error| error.to_string());
    let case = case.and_then(|text| Case::parse(&text)).and_then(known_behaviours);
    let case = match case {
        Ok(case) => case,
        Err(error) => return vec![broken(&format!("{name}::any"), format!("{}: {error}", script.display()))],
    };
    let wanted = match &case.methods {
        Methods::Any => vec!["any".to_owned()],
        Methods::All => offered.to_vec(),
        Methods::Only(methods) => methods.clone(),
    };
    let mut manners: Vec<Manner> = wanted.iter().map(|method| Manner::by(method, offered)).collect();
    if !case.options.iter().any(|option| option.trim_start_matches('-').starts_with("native")) {
        manners.extend(manners.first().cloned().map(Manner::native));
    }
    let trial = |manner: Manner| {
        let (case, script) = (case.clone(), script.to_owned());
        let test_name = format!("{name}::{}", manner.name);
        let trial = Trial::test(test_name, move || {
            let run = run_script(&script, &case, &manner.options)?;
            judge(&case, &run).map_err(|text| Failed::from(format!("{}\n{text}", script.display())))
        });
        trial.with_ignored_flag(!manner.offered)
    };
    manners.into_iter().map(trial).collect()
}

/// A test that fails with this text.
pub fn broken(name: &str, text: String) -> Trial {
    Trial::test(name, move || Err(text.into()))
}

/// Runs a script in a folder of its own, with the files of the folder `NAME.d` beside it if there is one.
///
/// # Errors
/// If it can't be copied or started.
pub fn run_script(script: &Path, case: &Case, options: &[String]) -> Result<Run, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", script.display());
    let place = Place::new().map_err(failed)?;
    let own_name = || script.file_name().unwrap_or(script.as_os_str()).to_string_lossy().into_owned();
    let name = case.run_as.clone().unwrap_or_else(own_name);
    if !name.starts_with('-') {
        fs::copy(script, place.work().join(&name)).map_err(failed)?;
    }
    let beside = script.with_extension("d");
    if beside.is_dir() {
        place.copy_all(&beside).map_err(failed)?;
    }
    let mut command = program().to_owned();
    if case.copied_program {
        command = place.work().join("stook");
        // By another process: what this one has open for writing, a test beside it hands on to the process that it
        // starts, and a file that somebody can write to can't be run ("Text file busy").
        let copied = Command::new("cp").arg(program()).arg(&command).status().map_err(failed)?;
        if !copied.success() {
            return Err(format!("{}: the program can't be copied: {copied}", script.display()));
        }
    }
    let mut args = options.to_vec();
    args.extend(case.options.iter().cloned());
    let mut stdin = case.stdin.clone();
    args.push(name.clone());
    match name.as_str() {
        "-e" => args.push(fs::read_to_string(script).map_err(failed)?),
        "-" => stdin = fs::read_to_string(script).map_err(failed)?,
        _ => {}
    }
    args.extend(case.args.iter().cloned());
    if case.redirections.is_empty() {
        return place.run(&command, &args, &stdin, HANG).map_err(failed);
    }
    let line = format!("exec \"$0\" \"$@\" {}", case.redirections.join(" "));
    let shell = ["-c".to_owned(), line, command.display().to_string()];
    let args: Vec<String> = shell.into_iter().chain(args).collect();
    place.run(Path::new("/bin/sh"), &args, &stdin, HANG).map_err(failed)
}

/// Refuses a case that covers what the table does not have.
fn known_behaviours(case: Case) -> Result<Case, String> {
    static IDS: LazyLock<Result<BTreeSet<String>, String>> =
        LazyLock::new(|| Ok(behaviours::table()?.into_iter().map(|row| row.id).collect()));
    let ids = IDS.as_ref().map_err(Clone::clone)?;
    match case.covers.iter().find(|id| !ids.contains(*id)) {
        Some(id) => Err(format!("covers `{id}`, which is not in tests/conformance/behaviours.tsv")),
        None => Ok(case),
    }
}
