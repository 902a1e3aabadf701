//! Many programs by their seeds, and the smallest program that still differs.

use arbitrary::Unstructured;

use super::differ::{Differ, Findings};
use super::grammar::{self, Program, Width};

/// Bytes of choices for a program.
const BYTES: usize = 3000;
/// How many smaller programs are tried.
const TRIALS: usize = 4000;

/// The program of this seed: of numbers if it is even, of everything if it is odd.
pub fn program(seed: u64) -> Program {
    let mut bytes = vec![0; BYTES];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    let width = if seed.is_multiple_of(2) { Width::Numbers } else { Width::Everything };
    grammar::program(&mut Unstructured::new(&bytes), width)
}

/// What was found in some programs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub programs: usize,
    /// Did not parse, or their arguments could not be made.
    pub unreadable: usize,
    pub native: usize,
    pub refused: usize,
    pub long: usize,
    pub failed: usize,
    pub differing: usize,
    pub quirks: usize,
}

impl Tally {
    pub fn add(&mut self, findings: &Result<Findings, String>) {
        self.programs += 1;
        match findings {
            Ok(findings) => {
                self.native += findings.native;
                self.refused += findings.refused;
                self.long += findings.long;
                self.failed += findings.failed;
                self.differing += usize::from(!findings.differences.is_empty());
                self.quirks += findings.quirks;
            }
            Err(_) => self.unreadable += 1,
        }
    }
}

impl Tally {
    /// The figures in a line, as [`Tally::read`] takes them.
    pub fn words(&self) -> String {
        let words: Vec<String> = self.figures().iter().map(ToString::to_string).collect();
        words.join(" ")
    }

    /// The figures of a line.
    pub fn read(line: &str) -> Option<Self> {
        let figures: Vec<usize> = line.split(' ').map_while(|word| word.parse().ok()).collect();
        let [programs, unreadable, native, refused, long, failed, differing, quirks] =
            figures.try_into().ok()?;
        Some(Self { programs, unreadable, native, refused, long, failed, differing, quirks })
    }

    pub fn merge(&mut self, other: &Self) {
        let [programs, unreadable, native, refused, long, failed, differing, quirks] = other.figures();
        self.programs += programs;
        self.unreadable += unreadable;
        self.native += native;
        self.refused += refused;
        self.long += long;
        self.failed += failed;
        self.differing += differing;
        self.quirks += quirks;
    }

    fn figures(&self) -> [usize; 8] {
        [
            self.programs,
            self.unreadable,
            self.native,
            self.refused,
            self.long,
            self.failed,
            self.differing,
            self.quirks,
        ]
    }
}

/// The program made smaller as long as `holds` gives something for it, and what it gave last.
pub fn smallest<T>(
    program: Program,
    found: T,
    trials: usize,
    holds: impl Fn(&Program) -> Option<T>,
) -> (Program, T) {
    let (mut program, mut found) = (program, found);
    let mut trials = trials;
    'smaller: loop {
        for candidate in program.smaller() {
            if trials == 0 {
                return (program, found);
            }
            trials -= 1;
            if let Some(again) = holds(&candidate) {
                (program, found) = (candidate, again);
                continue 'smaller;
            }
        }
        return (program, found);
    }
}

/// The differing program made smaller as long as it still differs, and how.
pub fn smallest_difference(differ: &Differ, program: Program, findings: Findings) -> (Program, Findings) {
    smallest(program, findings, TRIALS, |candidate| {
        let found = differ.run(&candidate.source(), &candidate.entry).ok()?;
        (!found.differences.is_empty()).then_some(found)
    })
}

/// A differing program for people.
pub fn report(seed: u64, program: &Program, findings: &Findings) -> String {
    format!("seed {seed}\n{}\n{}\n", program.source(), findings.told())
}
