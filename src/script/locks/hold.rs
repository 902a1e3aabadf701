//! What all that can be held have: acquiring, releasing, `with`, and a word about those who died holding it.

use rhai::{Dynamic, Engine, NativeCallContext};

use crate::arena::table;
use crate::script::raise::{Raise, interrupted};
use crate::script::signature::Signature;
use crate::script::with::door::Ways;
use crate::script::{runtime, time};
use crate::sync::abandoned::{Abandoned, Ending};
use crate::sync::lock::Acquired;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;
use crate::sys::identity;
use crate::sys::process::End;

/// Something that can be held. A clone is the same thing.
pub trait Hold: Clone + 'static {
    /// What scripts call it.
    const NAME: &'static str;

    /// What scripts call this one.
    fn title(&self) -> &'static str {
        Self::NAME
    }

    /// How its `acquire` is called.
    fn signature() -> &'static Signature;

    /// Its place in memory.
    fn offset(&self) -> u64;

    /// Acquires it.
    fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp>;

    /// Releases it.
    fn release(&self) -> Result<(), Raise>;

    /// Whether one would have to wait for it.
    fn is_held(&self) -> bool;

    /// Whether somebody died holding it.
    fn was_abandoned(&self) -> bool;

    /// As `print` shows it.
    fn text(&self) -> String;
}

/// Registers what they have in common.
pub fn register<T: Hold>(engine: &mut Engine) {
    Ways::new(
        |held: &T| acquire(held, Deadline::Never).map(drop),
        |held: &T| Dynamic::from(held.clone()),
        |held: &T| held.release(),
    )
    .register();
    T::signature().method(engine, |_, held: T, mut arguments| {
        acquire(&held, arguments.block_and_timeout(0)?).map(Dynamic::from)
    });
    engine
        .register_type_with_name::<T>(T::NAME)
        .register_fn("to_string", |held: &mut T| held.text())
        .register_fn("to_debug", |held: &mut T| held.text())
        .register_fn("==", |one: T, other: T| one.offset() == other.offset())
        .register_fn("!=", |one: T, other: T| one.offset() != other.offset())
        .register_fn("locked", |held: &mut T| held.is_held())
        .register_get("was_abandoned", |held: &mut T| held.was_abandoned())
        // The two that loops are made of, without the way through a signature.
        .register_fn("acquire", |context: NativeCallContext, held: &mut T| {
            runtime::at(&context);
            acquire(held, Deadline::Never)
        })
        .register_fn("release", |held: &mut T| held.release());
}

/// Acquires it, and says so if a process died holding it; `false` at the deadline.
///
/// # Errors
/// At Ctrl-C.
#[inline]
pub fn acquire<T: Hold>(held: &T, deadline: Deadline) -> Result<bool, Raise> {
    match held.acquire(deadline) {
        Ok(None) => Ok(true),
        Ok(Some(abandoned)) => {
            warn(held.title(), &abandoned);
            Ok(true)
        }
        Err(GaveUp::TimedOut) => Ok(false),
        Err(GaveUp::Interrupted) => Err(interrupted()),
    }
}

/// Says on standard error that this process has something now that another one had when it died.
#[cold]
pub fn warn(name: &str, abandoned: &Abandoned) {
    let Abandoned { name: dead, pid, .. } = abandoned;
    let how = match abandoned.how() {
        Ending::ByItself => "ended".to_owned(),
        Ending::Seen(End::Exited(code)) => format!("ended with exit code {code}"),
        Ending::Seen(End::Signalled(signal)) => format!("was killed by signal {signal}"),
        Ending::Unseen => "died".to_owned(),
    };
    let line =
        |before: &str, line: u32| if line > 0 { format!("{before} line {line}") } else { String::new() };
    time::eprint(&format!(
        "stook: warning: process {dead} (pid {pid}) {how}{} while it held this {name}{}; {} (pid {}) has it now{}, \
         and what it protects may be half done",
        line(" in", abandoned.last),
        line(" since", abandoned.line),
        runtime::name(),
        identity::pid(),
        line(", in", table::me().map_or(0, table::Slot::line)),
    ));
}
