//! The calls of a pool: one table of what each is like.

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::feedstock::{counted, source};
use super::items::PoolItems;
use super::options::{Options, callback, positive};
use super::result::AsyncResult;
use super::{Pool, not_done, raised};
use crate::pool::call::{Call, Callback, Rules};
use crate::pool::gather::Gather;
use crate::pool::owner::PoolError;
use crate::pool::pump::Ticket;
use crate::pool::source::{Items, Source};
use crate::script::raise::{Raise, RhaiResult, interrupted, not_packed};
use crate::script::runtime;
use crate::script::signature::{Arguments, Signature};
use crate::sys::clock::Deadline;
use crate::wire::Error;

const APPLY: &[&str] = &["func", "args", "timeout", "retries"];
const APPLY_ASYNC: &[&str] = &["func", "args", "callback", "error_callback", "timeout", "retries"];
const MAP: &[&str] =
    &["func", "iterable", "chunksize", "timeout", "retries", "on_error", "progress", "journal", "buffersize"];
const MAP_ASYNC: &[&str] = &[
    "func",
    "iterable",
    "chunksize",
    "callback",
    "error_callback",
    "timeout",
    "retries",
    "on_error",
    "progress",
    "journal",
    "buffersize",
];

/// What the caller gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// The results, when they are all there.
    Results,
    /// An `AsyncResult`.
    Later,
    /// Something to go through; whether in the order of the items.
    Stream(bool),
}

/// One kind of call.
#[derive(Clone, Copy)]
struct Form {
    signature: &'static Signature,
    gives: Gives,
    /// An item is the list of the arguments.
    spread: bool,
    /// One item, given as it is.
    apply: bool,
}

macro_rules! form {
    ($name:literal, $parameters:ident, $required:literal, $gives:expr, $spread:literal, $apply:literal) => {{
        static SIGNATURE: Signature = Signature { name: $name, parameters: $parameters, required: $required };
        Form { signature: &SIGNATURE, gives: $gives, spread: $spread, apply: $apply }
    }};
}

/// Registers them.
pub fn register(engine: &mut Engine) {
    let forms = [
        form!("Pool.apply", APPLY, 1, Gives::Results, true, true),
        form!("Pool.apply_async", APPLY_ASYNC, 1, Gives::Later, true, true),
        form!("Pool.map", MAP, 2, Gives::Results, false, false),
        form!("Pool.map_async", MAP_ASYNC, 2, Gives::Later, false, false),
        form!("Pool.starmap", MAP, 2, Gives::Results, true, false),
        form!("Pool.starmap_async", MAP_ASYNC, 2, Gives::Later, true, false),
        form!("Pool.imap", MAP, 2, Gives::Stream(true), false, false),
        form!("Pool.imap_unordered", MAP, 2, Gives::Stream(false), false, false),
        form!("Pool.istarmap", MAP, 2, Gives::Stream(true), true, false),
    ];
    for form in forms {
        form.signature
            .method(engine, move |context, pool: Pool, arguments| form.run(context, &pool, arguments));
    }
}

impl Form {
    fn run(self, context: &NativeCallContext, pool: &Pool, mut arguments: Arguments) -> RhaiResult {
        pool.borrow().check().map_err(not_done)?;
        let function = Dynamic::from(arguments.needed_function(0)?);
        let program = runtime::packed_if_growing().map_err(not_packed)?;
        let function = pool.borrow_mut().pack(&function, program).map_err(not_done)?;
        let later = self.gives == Gives::Later;
        // Callbacks stand before the options.
        let own = if self.apply { 2 } else { 3 };
        let callback = if later { self.callback(context, &mut arguments, own)? } else { None };
        let first = if later { own + 2 } else { own };
        let options = if self.apply {
            Options::read_two(&mut arguments, first)
        } else {
            Options::read(&mut arguments, first)
        }?;
        let (source, mut rules) = self.items(context, pool, &mut arguments, &options)?;
        if let Some(size) = options.buffer {
            rules.chunk = rules.chunk.min(size);
            rules.limit = size;
        }
        let journal = options.journal(function.bytes())?;
        let gather = match self.gives {
            Gives::Stream(ordered) => Gather::stream(ordered),
            Gives::Results | Gives::Later => Gather::whole(),
        };
        let mut call = Call::new(function, rules, gather, source);
        call.journal = journal;
        call.on_decided(callback);
        call.show_on(options.meter());
        let ticket = pool.submit(call);
        if self.gives != Gives::Results {
            pool.begin();
        }
        match self.gives {
            Gives::Results => wait(ticket),
            Gives::Later => Ok(Dynamic::from(AsyncResult::from(ticket))),
            Gives::Stream(_) => Ok(Dynamic::from(PoolItems::from(ticket))),
        }
    }

    fn callback(
        self,
        context: &NativeCallContext,
        arguments: &mut Arguments,
        first: usize,
    ) -> Result<Option<Callback>, Raise> {
        let (on_value, on_error) = (arguments.function(first)?, arguments.function(first + 1)?);
        Ok(callback(context, on_value, on_error))
    }

    /// Where the items come from, and how they are dealt with.
    fn items(
        self,
        context: &NativeCallContext,
        pool: &Pool,
        arguments: &mut Arguments,
        options: &Options,
    ) -> Result<(Box<dyn Source>, Rules), Raise> {
        let processes = pool.borrow().size();
        let mut rules = Rules {
            apply: self.apply,
            chunk: 1,
            limit: 0,
            timeout: options.timeout,
            retries: options.retries,
            collect: options.collect,
            spread: self.spread,
        };
        if self.apply {
            let given = arguments.array(1)?.unwrap_or_default();
            return Ok((Box::new(Items::from(vec![Dynamic::from(given)] as Array)), rules));
        }
        let chunk = arguments.int(2)?.map(|size| positive("chunksize", size)).transpose()?;
        if matches!(self.gives, Gives::Stream(_)) {
            rules.chunk = chunk.unwrap_or(1);
            rules.limit = 4 * processes * rules.chunk;
            return Ok((source(context, arguments, 1)?, rules));
        }
        let (items, count) = counted(context, arguments, 1)?;
        // As Python has it: four chunks a worker, rounded up.
        rules.chunk = chunk.unwrap_or_else(|| count.div_ceil(4 * processes).max(1));
        Ok((items, rules))
    }
}

/// Waits for the results. If the caller is interrupted, nothing more of the call is begun.
fn wait(ticket: Ticket) -> RhaiResult {
    match ticket.wait(Deadline::Never) {
        Ok(true) => ticket.into_answer().map_err(raised),
        Ok(false) => Err(not_done(PoolError::NotRunning)),
        Err(_) => {
            ticket.give_up(Error::new("KeyboardInterrupt", ""));
            Err(interrupted())
        }
    }
}
