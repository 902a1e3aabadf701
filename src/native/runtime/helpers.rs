//! The helpers by their addresses, and what each takes and gives.
//!
//! Pointers follow invariants 1 and 2 of the folder.

use rhai::{Dynamic, FnArgsVec};

use super::arithmetic::{
    float_1, float_2, float_modulo, float_power, power, power_fails, shift_left, shift_right,
};
use super::evaluate::{Ended, evaluate};
use super::steps::{next, walk};
use super::walking::{character, item, item_there, item_to_set, length, push};
use super::with::{enter, leave};
use super::{Run, attempt, native, operate, text};
use crate::native::site::{Evaluated, Site, What};

/// What a helper takes or gives.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A pointer or a number.
    Word,
    Float,
}

macro_rules! helpers {
    ($($name:ident = $function:ident ($($takes:ident)*) $(-> $gives:ident)?;)*) => {
        /// A function that compiled code calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Helper { $($name,)* }

        impl Helper {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($function),)* }
            }

            pub fn address(self) -> *const u8 {
                match self { $(Self::$name => $function as *const u8,)* }
            }

            pub const fn signature(self) -> (&'static [Part], &'static [Part]) {
                match self { $(Self::$name => (&[$(Part::$takes,)*], &[$(Part::$gives,)?]),)* }
            }
        }
    };
}

helpers! {
    Drop = drop_value(Word);
    DropFrame = drop_frame(Word Word);
    Clone = clone_value(Word Word);
    Assign = assign(Word Word);
    Trap = trap(Word Word Word Word Word);
    TooDeep = too_deep(Word Word);
    Frame = frame(Word Word);
    NoInt = no_int(Word Word Word);
    Forget = forget(Word);
    Poll = poll(Word Word) -> Word;
    Evaluate = evaluate_tree(Word Word Word Word Word Word Word) -> Word;
    Native = call_native(Word Word Word Word Word Word Word) -> Word;
    Binary = binary(Word Word Word Word Word Word) -> Word;
    Compare = compare(Word Word Word Word Word) -> Word;
    Update = update(Word Word Word Word Word) -> Word;
    Truth = truth(Word Word Word) -> Word;
    Item = item(Word Word) -> Word;
    ItemThere = item_there(Word Word) -> Word;
    ItemToSet = item_to_set(Word Word) -> Word;
    Character = character(Word Word Word) -> Word;
    Push = push(Word Word) -> Word;
    Length = length(Word) -> Word;
    Walk = walk(Word Word Word) -> Word;
    Next = next(Word Word Word Word Word) -> Word;
    Same = same(Word Word) -> Word;
    Within = within(Word Word Word Word) -> Word;
    Text = join_text(Word Word Word Word Word Word) -> Word;
    Array = new_array(Word Word Word);
    Map = new_map(Word Word Word Word);
    Throw = throw(Word Word Word);
    Caught = caught(Word Word Word) -> Word;
    Enter = enter(Word Word Word Word Word) -> Word;
    Leave = leave(Word Word) -> Word;
    EndHandler = end_handler(Word);
    FailedHandler = failed_handler(Word);
    ShiftLeft = shift_left(Word Word) -> Word;
    ShiftRight = shift_right(Word Word) -> Word;
    PowerFails = power_fails(Word Word) -> Word;
    Power = power(Word Word) -> Word;
    FloatModulo = float_modulo(Float Float) -> Float;
    FloatPower = float_power(Float Float) -> Float;
    Float1 = float_1(Word Float) -> Float;
    Float2 = float_2(Word Float Float) -> Float;
}

/// A value that compiled code points to.
///
/// # Safety
/// By invariant 1 of the folder.
unsafe fn value<'a>(pointer: *mut Dynamic) -> &'a mut Dynamic {
    // SAFETY: by the caller.
    unsafe { &mut *pointer }
}

/// # Safety
/// By invariant 1 of the folder: a list of so many pointers to values, none twice.
unsafe fn list<'a>(pointers: *const *mut Dynamic, count: usize) -> &'a [*mut Dynamic] {
    // SAFETY: by the caller.
    unsafe { std::slice::from_raw_parts(pointers, count) }
}

extern "C" fn drop_value(place: *mut Dynamic) {
    // SAFETY: a valid value, which is dropped here.
    unsafe { *place = Dynamic::UNIT };
}

extern "C" fn drop_frame(slots: *mut Dynamic, count: usize) {
    for slot in 0..count {
        // SAFETY: the frame's slots are valid values, and nobody reads them after this.
        unsafe { std::ptr::drop_in_place(slots.add(slot)) };
    }
}

extern "C" fn clone_value(from: *const Dynamic, to: *mut Dynamic) {
    // SAFETY: both are valid, the target is plain.
    unsafe { to.write((*from).flatten_clone()) };
}

extern "C" fn assign(to: *mut Dynamic, from: *mut Dynamic) {
    // SAFETY: valid values; one is a temporary, so they are two.
    let (to, from) = unsafe { (value(to), value(from)) };
    let new = std::mem::take(from);
    if to.is_shared() {
        if let Some(mut cell) = to.write_lock::<Dynamic>() {
            *cell = new;
        }
    } else {
        *to = new;
    }
}

extern "C" fn trap(run: &mut Run, site: &Site, level: i64, left: i64, right: i64) {
    let error = attempt::trap(run, level, site, left, right);
    run.error = Some(error);
}

extern "C" fn too_deep(run: &mut Run, site: &Site) {
    run.error = Some(rhai::EvalAltResult::ErrorStackOverflow(site.position).into());
}

extern "C" fn frame(run: &mut Run, site: &Site) {
    if let Some(error) = run.error.take() {
        run.error = Some(attempt::in_call(run, site, error));
    }
}

extern "C" fn no_int(run: &mut Run, site: &Site, found: &Dynamic) {
    let (wanted, kind) = ("i64".to_owned(), found.type_name().to_owned());
    run.error = Some(rhai::EvalAltResult::ErrorMismatchDataType(wanted, kind, site.position).into());
}

/// Nobody hears of the error.
extern "C" fn forget(run: &mut Run) {
    run.error = None;
}

extern "C" fn poll(run: &mut Run, level: i64) -> i64 {
    let expression = rhai::Expr::Unit(rhai::Position::NONE);
    match evaluate(run, level, &Evaluated { expression, seen: Vec::new() }, &mut [], None) {
        Ended::Error(error) => run.fail(error),
        Ended::Value(_) | Ended::Return(_) => 0,
    }
}

/// The expression for the engine that stands at a site.
fn evaluated(site: &Site) -> Option<&Evaluated> {
    match &site.what {
        What::Operator(_, evaluated)
        | What::Update(_, evaluated)
        | What::Engine(evaluated)
        | What::Native(_, _, evaluated)
        | What::Call(_, evaluated) => Some(evaluated),
        What::Condition | What::Plain => None,
    }
}

extern "C" fn evaluate_tree(
    run: &mut Run,
    site: &Site,
    level: i64,
    pointers: *const *mut Dynamic,
    count: usize,
    lent: u64,
    out: *mut Dynamic,
) -> i64 {
    let Some(evaluated) = evaluated(site) else { return run.fail("no expression stands here".into()) };
    // SAFETY: a list of so many values.
    let places = unsafe { list(pointers, count) };
    let is_lent = |at: usize| lent >> at.min(63) & 1 == 1;
    let mut values: FnArgsVec<Dynamic> = FnArgsVec::new();
    values.resize(count, Dynamic::UNIT);
    // Lent ones first: one may stand in the list twice.
    for at in (0..count).filter(|at| is_lent(*at)) {
        // SAFETY: a valid value, only read.
        values[at] = unsafe { (*places[at]).clone() };
    }
    for at in (0..count).filter(|at| !is_lent(*at)) {
        // SAFETY: a valid value that nobody else holds.
        values[at] = std::mem::take(unsafe { value(places[at]) });
    }
    let ended = evaluate(run, level, evaluated, &mut values, None);
    for at in (0..count).filter(|at| !is_lent(*at)) {
        // SAFETY: as above.
        unsafe { places[at].write(std::mem::take(&mut values[at])) };
    }
    let (result, status) = match ended {
        Ended::Value(value) => (value, 0),
        Ended::Return(value) => (value, 2),
        Ended::Error(error) => return run.fail(error),
    };
    // SAFETY: the result's place is plain.
    unsafe { out.write(result) };
    status
}

extern "C" fn call_native(
    run: &mut Run,
    site: &Site,
    level: i64,
    pointers: *mut *mut Dynamic,
    count: usize,
    lent: i64,
    out: *mut Dynamic,
) -> i64 {
    // SAFETY: a list of so many values that the caller makes for this call, none of them twice: the first is a variable
    // or an element, the others are temporaries.
    let arguments = unsafe { std::slice::from_raw_parts_mut(pointers.cast::<&mut Dynamic>(), count) };
    match native::call(run, level, site, arguments, lent != 0) {
        Ok(result) => {
            // SAFETY: the result's place is plain.
            unsafe { out.write(result.flatten()) };
            0
        }
        Err(error) => run.fail(error),
    }
}

extern "C" fn binary(
    run: &mut Run,
    site: &Site,
    level: i64,
    left: &Dynamic,
    right: &Dynamic,
    out: *mut Dynamic,
) -> i64 {
    match operate::binary(run, level, site, left, right) {
        Ok(result) => {
            // SAFETY: the result's place is plain.
            unsafe { out.write(result) };
            0
        }
        Err(error) => run.fail(error),
    }
}

extern "C" fn compare(run: &mut Run, site: &Site, level: i64, left: &Dynamic, right: &Dynamic) -> i64 {
    match operate::compare(run, level, site, left, right) {
        Ok(found) => i64::from(found),
        Err(error) => run.fail(error) + 1,
    }
}

extern "C" fn update(
    run: &mut Run,
    site: &Site,
    level: i64,
    target: *mut Dynamic,
    operand: *const Dynamic,
) -> i64 {
    let copy;
    let operand = if std::ptr::eq(target, operand) {
        // SAFETY: a valid value, cloned before the target is borrowed.
        copy = unsafe { (*operand).clone() };
        &copy
    } else {
        // SAFETY: a valid value other than the target.
        unsafe { &*operand }
    };
    // SAFETY: a valid value that nobody else holds.
    match operate::update(run, level, site, unsafe { value(target) }, operand) {
        Ok(()) => 0,
        Err(error) => run.fail(error),
    }
}

extern "C" fn truth(run: &mut Run, site: &Site, found: &Dynamic) -> i64 {
    match found.as_bool() {
        Ok(truth) => i64::from(truth),
        Err(kind) => {
            let (wanted, kind) = ("bool".to_owned(), kind.to_owned());
            run.fail(rhai::EvalAltResult::ErrorMismatchDataType(wanted, kind, site.position).into()) + 1
        }
    }
}

extern "C" fn same(found: &Dynamic, constant: &Dynamic) -> i64 {
    i64::from(operate::same(found, constant))
}

extern "C" fn within(found: &Dynamic, start: i64, end: i64, closed: i64) -> i64 {
    i64::from(operate::within(found, start, end, closed != 0))
}

fn taken(pointers: *const *mut Dynamic, count: usize) -> Vec<Dynamic> {
    // SAFETY: a list of so many temporaries.
    let places = unsafe { list(pointers, count) };
    // SAFETY: a temporary of the caller.
    places.iter().map(|place| std::mem::take(unsafe { value(*place) })).collect()
}

extern "C" fn join_text(
    run: &mut Run,
    site: &Site,
    level: i64,
    pointers: *const *mut Dynamic,
    count: usize,
    out: *mut Dynamic,
) -> i64 {
    match text::join(run, level, site, &mut taken(pointers, count)) {
        Ok(result) => {
            // SAFETY: the result's place is plain.
            unsafe { out.write(result) };
            0
        }
        Err(error) => run.fail(error),
    }
}

extern "C" fn new_array(pointers: *const *mut Dynamic, count: usize, out: *mut Dynamic) {
    let array = Dynamic::from_array(taken(pointers, count));
    // SAFETY: the result's place is plain.
    unsafe { out.write(array) };
}

extern "C" fn new_map(template: &Dynamic, pointers: *const *mut Dynamic, count: usize, out: *mut Dynamic) {
    let mut map = template.as_map_ref().map(|map| map.clone()).unwrap_or_default();
    for (place, new) in map.values_mut().zip(taken(pointers, count)) {
        *place = new;
    }
    // SAFETY: the result's place is plain.
    unsafe { out.write(Dynamic::from_map(map)) };
}

extern "C" fn throw(run: &mut Run, site: &Site, thrown: &mut Dynamic) {
    let thrown = std::mem::take(thrown);
    run.error = Some(rhai::EvalAltResult::ErrorRuntime(thrown, site.position).into());
}

extern "C" fn caught(run: &mut Run, wanted: i64, out: *mut Dynamic) -> i64 {
    match attempt::caught(run, wanted != 0) {
        Some(value) => {
            // SAFETY: the result's place is plain.
            unsafe { out.write(value) };
            0
        }
        None => 1,
    }
}

extern "C" fn end_handler(run: &mut Run) {
    run.caught.pop();
}

extern "C" fn failed_handler(run: &mut Run) {
    attempt::failed_handler(run);
}
