//! A bar on the terminal that shows how far a call is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pool::call::Meter;
use crate::script::{terminal, time};

/// With a total; the label goes before it.
const BAR: &str = "{prefix}{wide_bar} {pos}/{len} {per_sec} eta {eta}";
/// Without.
const COUNT: &str = "{prefix}{pos} {per_sec} {elapsed}";

/// See the head of this file.
pub struct Bar {
    bar: ProgressBar,
    total: Option<usize>,
}

impl Bar {
    /// A bar with a label, or none where there is no terminal.
    pub fn on_terminal(label: &str) -> Option<Box<dyn Meter>> {
        if !terminal::has_room_for_a_bar() {
            return None;
        }
        // Nothing is drawn before all is set.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style(COUNT));
        bar.set_prefix(if label.is_empty() { String::new() } else { format!("{label} ") });
        bar.set_draw_target(ProgressDrawTarget::stderr());
        terminal::set_bar(true);
        Some(Box::new(Self { bar, total: None }))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Meter for Bar {
    fn show(&mut self, settled: usize, total: Option<usize>) {
        if self.total != total {
            self.total = total;
            if let Some(total) = total {
                self.bar.set_style(style(BAR));
                self.bar.set_length(total as u64);
            }
        }
        self.bar.set_position(settled as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // It stays as it is, and what comes next begins on a line of its own.
        self.bar.abandon();
        terminal::set_bar(false);
        time::eprint("");
    }
}
