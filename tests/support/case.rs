//! What a script says about its own run, in comments. `tests/cases/README.md` describes them.

use std::sync::LazyLock;

use regex::Regex;

/// A part of what a script prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// This line.
    Line(String),
    /// A line that matches this pattern.
    Matching(String),
    /// These lines, in any order.
    AnyOrder(Vec<String>),
}

/// The start methods that a script is run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Each that the program offers.
    All,
    /// The program's own choice, once.
    Any,
    /// These.
    Only(Vec<String>),
}

/// What a script expects.
#[derive(Clone, Debug)]
pub struct Case {
    /// All of its standard output.
    pub output: Vec<Output>,
    /// Each matches a line of its standard error; none at all means that nothing stands there.
    pub stderr: Vec<Regex>,
    /// Those lines are all that stands there.
    pub stderr_whole: bool,
    /// Its exit code; minus the number of the signal that ends it.
    pub exit: i32,
    /// What it is given on the command line.
    pub args: Vec<String>,
    /// Options of the program itself.
    pub options: Vec<String>,
    /// The file name it is run under, `-e` for the command line, `-` for standard input; its own without one.
    pub run_as: Option<String>,
    /// The program is run from a copy beside the script.
    pub copied_program: bool,
    /// What a shell does to its streams before it runs.
    pub redirections: Vec<&'static str>,
    /// What it is given on standard input.
    pub stdin: String,
    /// The ids of the behaviours that it shows.
    pub covers: Vec<String>,
    /// The start methods that it is run with.
    pub methods: Methods,
}

/// Every start method that there is.
const KNOWN_METHODS: &[&str] = &["spawn", "fork", "forkserver"];

/// An expectation, behind code or alone on a line.
static EXPECTATION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"//\s*(expect-unordered|expect matching|expect stderr|expect):\s?(.*)$"));

/// Anything else, alone on a line.
static SETTING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*//\s*(exit|args|as|options|program|stdin|stdout|stderr|covers|methods):\s?(.*)$")
});

/// What looks like an expectation.
static NEARLY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)//\s*(expect\w*|expect[ _-]+\w+)\s*:"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern")
}

impl Case {
    /// Reads the comments of a script.
    ///
    /// # Errors
    /// Naming the line of a comment that looks like an expectation and is none, or whose value makes no sense.
    pub fn parse(script: &str) -> Result<Self, String> {
        let mut case = Self {
            output: Vec::new(),
            stderr: Vec::new(),
            stderr_whole: false,
            exit: 0,
            args: Vec::new(),
            options: Vec::new(),
            run_as: None,
            copied_program: false,
            redirections: Vec::new(),
            stdin: String::new(),
            covers: Vec::new(),
            methods: Methods::All,
        };
        for (index, line) in script.lines().enumerate() {
            let found = EXPECTATION.captures(line).or_else(|| SETTING.captures(line));
            let read = match found.as_ref().and_then(|found| Some((found.get(1)?, found.get(2)?))) {
                Some((key, value)) => case.take(key.as_str(), value.as_str()),
                None if NEARLY.is_match(line) => Err("known are `// expect:`, `// expect matching:`, \
                                                      `// expect-unordered:` and `// expect stderr:`"
                    .to_owned()),
                None => Ok(()),
            };
            read.map_err(|error| format!("line {}: `{}`: {error}", index + 1, line.trim()))?;
        }
        Ok(case)
    }

    /// Whether the script says anything about its output.
    pub fn expects_output(&self) -> bool {
        !self.output.is_empty() || !self.stderr.is_empty()
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        let words = || value.split_whitespace().map(str::to_owned);
        match key {
            "expect" => self.output.push(Output::Line(value.to_owned())),
            "expect matching" => {
                Regex::new(value).map_err(|error| error.to_string())?;
                self.output.push(Output::Matching(value.to_owned()));
            }
            "expect-unordered" => match self.output.last_mut() {
                Some(Output::AnyOrder(lines)) => lines.push(value.to_owned()),
                _ => self.output.push(Output::AnyOrder(vec![value.to_owned()])),
            },
            "expect stderr" => self.stderr.push(Regex::new(value).map_err(|error| error.to_string())?),
            "exit" => self.exit = value.trim().parse().map_err(|error| format!("{error}"))?,
            "args" => self.args.extend(words()),
            "stdin" => {
                self.stdin.push_str(value);
                self.stdin.push('\n');
            }
            "as" => self.run_as = Some(value.trim().to_owned()),
            "program" if value.trim() == "copied" => self.copied_program = true,
            "program" => return Err("not `copied`".to_owned()),
            "options" => self.options.extend(words()),
            "stderr" if value.trim() == "whole" => self.stderr_whole = true,
            "stdout" | "stderr" => self.redirections.push(match (key, value.trim()) {
                ("stdout", "closed") => ">&-",
                ("stdout", "full") => ">/dev/full",
                ("stderr", "closed") => "2>&-",
                ("stderr", "full") => "2>/dev/full",
                ("stdout", _) => return Err("neither `closed` nor `full`".to_owned()),
                _ => return Err("neither `whole`, `closed` nor `full`".to_owned()),
            }),
            "covers" => self.covers.extend(words()),
            _ => {
                self.methods = match words().collect::<Vec<_>>() {
                    only if only == ["any"] => Methods::Any,
                    only if !only.is_empty()
                        && only.iter().all(|word| KNOWN_METHODS.contains(&word.as_str())) =>
                    {
                        Methods::Only(only)
                    }
                    _ => return Err(format!("neither `any` nor some of {}", KNOWN_METHODS.join(", "))),
                }
            }
        }
        Ok(())
    }
}
