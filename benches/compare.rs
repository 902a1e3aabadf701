//! The same work in stook and in something else, mostly Python's multiprocessing, side by side.
//!
//! `cargo bench` runs every row of the table below, `cargo bench -- NAME..` those whose name contains one of the
//! names, `--rounds N` sets the number of rounds. Within a round both sides run, in turns first, so that what
//! else the machine does hits both. A row's figure is the median over the rounds of the ratio other time / stook
//! time, or of the memory that they need: above 1, stook is faster, or smaller. Absolute times depend on the machine, ratios hardly. A row for which the
//! machine lacks something is skipped.

mod side;

use std::env;
use std::process::ExitCode;

use side::{Side, Tools, figure};

/// The rounds of a row.
const ROUNDS: usize = 7;

/// The rounds of a row that works on the directory of files.
const LONG_ROUNDS: usize = 3;

struct Row {
    name: &'static str,
    stook: Side,
    other: Side,
    /// The ratio to reach, where there is one.
    target: Option<f64>,
    /// Both sides print the same lines, apart from their order.
    same_lines: bool,
    /// What is compared is memory, in MiB, and not time.
    memory: bool,
}

const fn row(name: &'static str, stook: Side, other: Side, target: Option<f64>) -> Row {
    Row { name, stook, other, target, same_lines: false, memory: false }
}

/// Two scripts of one name.
const fn pair(name: &'static str, target: f64) -> Row {
    row(name, Side::Pair(name, &[]), Side::Python(name, &[]), Some(target))
}

/// Start and join of a process that does nothing.
const fn start(name: &'static str, arguments: &'static [&'static str], target: f64) -> Row {
    row(name, Side::Pair("start", arguments), Side::Python("start", arguments), Some(target))
}

/// Two scripts of one name with the same arguments.
const fn with(
    name: &'static str,
    pair: &'static str,
    arguments: &'static [&'static str],
    target: f64,
) -> Row {
    row(name, Side::Pair(pair, arguments), Side::Python(pair, arguments), Some(target))
}

/// As much memory for ten million as for a hundred thousand.
const fn flat(name: &'static str, pair: &'static str) -> Row {
    let many = row(name, Side::Pair(pair, &["10000000"]), Side::Pair(pair, &["100000"]), Some(0.95));
    Row { memory: true, ..many }
}

const fn same(row: Row) -> Row {
    Row { same_lines: true, ..row }
}

const ROWS: &[Row] = &[
    row("startup", Side::Code("1+1"), Side::PythonCode("1+1"), Some(10.0)),
    row("startup_empty", Side::Code("1+1"), Side::Empty, Some(0.5)),
    start("spawn", &["spawn", "0"], 20.0),
    start("fork", &["fork", "0"], 4.0),
    start("forkserver", &["forkserver", "0"], 15.0),
    start("forkserver_paced", &["forkserver", "0.005"], 15.0),
    row("spawn_512", Side::Pair("start_512", &[]), Side::Python("start_512", &[]), Some(10.0)),
    row("spawn_512_alone", Side::Pair("start_512", &[]), Side::Pair("start", &["spawn", "0"]), Some(0.9)),
    pair("queue_1m", 10.0),
    pair("queue_4x4", 10.0),
    pair("ping_pong", 2.0),
    with("blob_64m", "blob_64m", &["value"], 5.0),
    with("blob_bytes", "blob_64m", &["bytes"], 5.0),
    row("socket_echo", Side::Pair("socket_echo", &[]), Side::Python("socket_echo", &[]), None),
    row("lock_free", Side::Pair("lock_free", &[]), Side::Stated("allowed"), Some(1.0)),
    row("lock_python", Side::Pair("lock_python", &[]), Side::Python("lock_python", &[]), None),
    with("value_add", "value_add", &["1"], 2.0),
    with("value_add_4", "value_add", &["4"], 2.0),
    row("value_step", Side::Pair("value_step", &["1"]), Side::Python("value_add", &["1"]), Some(2.0)),
    row("value_step_4", Side::Pair("value_step", &["4"]), Side::Python("value_add", &["4"]), Some(2.0)),
    with("array_get", "array_access", &["get"], 1.0),
    with("array_set", "array_access", &["set"], 1.0),
    with("array_sum", "array_sum", &[], 20.0),
    with("sum", "numbers", &["sum"], 1.0),
    with("max", "numbers", &["max"], 1.0),
    with("dot", "numbers", &["dot"], 1.0),
    with("histogram", "numbers", &["histogram"], 5.0),
    with("sort", "numbers", &["sort"], 2.0),
    with("pool_map", "pool_map", &["0"], 1.0),
    with("pool_map_1", "pool_map", &["1"], 30.0),
    pair("pool_apply", 4.0),
    pair("pool_captured", 10.0),
    with("pool_8_spawn", "pool_create", &["spawn"], 10.0),
    with("pool_8_fork", "pool_create", &["fork"], 10.0),
    with("pool_8_server", "pool_create", &["forkserver"], 10.0),
    row("pool_busy", Side::Pair("pool_busy", &["pool"]), Side::Pair("pool_busy", &["plain"]), Some(0.95)),
    flat("queue_10m", "queue_flat"),
    flat("pool_imap_10m", "pool_imap"),
    with("manager_dict", "manager_dict", &["1"], 2.0),
    with("manager_dict_8", "manager_dict", &["8"], 3.0),
    row("manager_queue", Side::Pair("manager_queue", &[]), Side::Python("manager_queue", &[]), None),
    row("wordcount", Side::Job("wordcount", "2"), Side::PythonJob("wordcount", "2"), None),
    same(row("wordcount_1_2", Side::Job("wordcount", "2"), Side::Job("wordcount", "1"), Some(1.7))),
    same(row("checksums", Side::Job("checksums", "2"), Side::PythonJob("checksums", "2"), None)),
    same(row("checksums_1_2", Side::Job("checksums", "2"), Side::Job("checksums", "1"), Some(1.7))),
];

/// What the command line asks for.
struct Wish {
    names: Vec<String>,
    rounds: Option<usize>,
}

impl Wish {
    fn read(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self { names: Vec::new(), rounds: None };
        let mut args = args.filter(|arg| arg != "--bench"); // added by cargo
        while let Some(arg) = args.next() {
            if arg == "--rounds" {
                let count = args.next().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                wish.rounds = Some(count.ok_or("--rounds needs a number above 0")?);
            } else if arg.starts_with('-') {
                return Err(format!("unknown option {arg}; known is --rounds N"));
            } else if ROWS.iter().any(|row| row.name.contains(&arg)) {
                wish.names.push(arg);
            } else {
                let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
                return Err(format!("no row is called {arg}; there are {}", known.join(", ")));
            }
        }
        Ok(wish)
    }

    fn wants(&self, row: &Row) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| row.name.contains(name))
    }
}

/// The figures of a row, sorted.
struct Figures {
    stook: Vec<f64>,
    other: Vec<f64>,
    ratios: Vec<f64>,
}

impl Row {
    fn measure(&self, rounds: usize, tools: &Tools) -> Result<Figures, String> {
        let repeat = self.stook.repeat();
        // Not counted: it brings program and files into memory.
        let (_, printed) = self.stook.run(tools)?;
        let mut figures = Figures { stook: Vec::new(), other: Vec::new(), ratios: Vec::new() };
        for round in 0..rounds {
            let mut sides = [(self.stook, 0.0), (self.other, 0.0)];
            for _ in 0..repeat {
                if let Side::Stated(name) = self.other {
                    let (time, lines) = self.stook.run(tools)?;
                    let stated = figure(&lines, name).ok_or_else(|| format!("it printed no `{name}:`"))?;
                    let [(_, own), (_, other)] = &mut sides;
                    *own += time;
                    *other += stated;
                    continue;
                }
                for turn in 0..2 {
                    let (side, sum) = &mut sides[(round + turn) % 2];
                    let (time, lines) = side.run(tools)?;
                    *sum += time;
                    if self.same_lines && sorted(&lines) != sorted(&printed) {
                        return Err("the two sides print different lines".to_owned());
                    }
                }
            }
            let [(_, stook), (_, other)] = sides;
            figures.stook.push(stook / f64::from(repeat));
            figures.other.push(other / f64::from(repeat));
            figures.ratios.push(other / stook);
        }
        for list in [&mut figures.stook, &mut figures.other, &mut figures.ratios] {
            list.sort_by(f64::total_cmp);
        }
        Ok(figures)
    }

    fn show(&self, figures: &Figures) -> String {
        let ratio = median(&figures.ratios);
        let (least, most) =
            (figures.ratios.first().unwrap_or(&ratio), figures.ratios.last().unwrap_or(&ratio));
        let target = self.target.map_or_else(|| "-".to_owned(), |target| format!("{target:.1}"));
        let verdict = match self.target {
            Some(target) if ratio < target => "missed",
            Some(_) => "met",
            None => "",
        };
        format!(
            "{:16} {:>8.2} {:>17} {target:>7} {verdict:6} {:>10} {:>10}  {}",
            self.name,
            ratio,
            format!("{least:.2}..{most:.2}"),
            self.amount(median(&figures.stook)),
            self.amount(median(&figures.other)),
            self.other.title(),
        )
    }

    fn amount(&self, figure: f64) -> String {
        if self.memory { format!("{figure:.1} MiB") } else { time(figure) }
    }
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

/// The middle of sorted figures.
fn median(sorted: &[f64]) -> f64 {
    match (sorted.get(sorted.len() / 2), sorted.get(sorted.len().saturating_sub(1) / 2)) {
        (Some(upper), Some(lower)) => f64::midpoint(*upper, *lower),
        _ => f64::NAN,
    }
}

/// A time of so many seconds for people.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn main() -> ExitCode {
    let wish = match Wish::read(env::args().skip(1)) {
        Ok(wish) => wish,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(error) => {
            eprintln!("no folder for temporary files: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(files) = &tools.files {
        println!("files: {}", files.display());
    }
    println!(
        "{:16} {:>8} {:>17} {:>7} {:6} {:>10} {:>10}  other side",
        "row", "ratio", "spread", "target", "", "stook", "other"
    );
    let mut code = ExitCode::SUCCESS;
    for row in ROWS.iter().filter(|row| wish.wants(row)) {
        if let Some(lack) = row.stook.lack(&tools).or_else(|| row.other.lack(&tools)) {
            println!("{:16}  skipped: {lack}", row.name);
            continue;
        }
        let long = row.stook.reads_files();
        let rounds = wish.rounds.unwrap_or(if long { LONG_ROUNDS } else { ROUNDS });
        match row.measure(rounds, &tools) {
            Ok(figures) => println!("{}", row.show(&figures)),
            Err(error) => {
                println!("{:16}  failed: {error}", row.name);
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
