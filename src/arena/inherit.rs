//! What a forked child has of what its parent holds: the same handles, at the same places, counted once more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{Block, OutOfMemory, Use};
use super::entries::STRIDE;
use super::object::count;
use super::segment::{at, header, nowhere};
use super::table::{Slot, me};

/// Counts everything that this process holds once more, for the slot of a process that is about to be forked
/// off it: the child's handles keep their places.
///
/// # Errors
/// [`OutOfMemory`]; what was counted goes with the slot.
pub fn copy_to(slot: &Slot) -> Result<(), OutOfMemory> {
    let Some(me) = me() else { return Ok(()) };
    let capacity = me.handles_capacity.load(Ordering::Relaxed);
    if capacity == 0 {
        return Ok(());
    }
    // Its holdings are 0: the child has nothing of what its parent has.
    let mut block = Block::new(capacity * STRIDE, Use::Bytes)?;
    block.bytes_mut().fill(0);
    let copies = block.offset();
    header().handles_guard.lock().commit([
        (&slot.handles, copies),
        (&slot.handles_capacity, block.capacity() / STRIDE),
        (block.hand(), 0),
    ]);
    block.published();
    let mine = me.handles.load(Ordering::Relaxed);
    for index in 0..capacity {
        // SAFETY: both tables have at least `capacity` entries.
        let (held, copy): (&AtomicU64, &AtomicU64) =
            unsafe { (at(mine + index * STRIDE), at(copies + index * STRIDE)) };
        let offset = held.load(Ordering::Relaxed);
        if offset != 0 {
            count(offset, copy, (nowhere(), 0));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::copy_to;
    use crate::arena::blocks::used;
    use crate::arena::parcel::Parcel;
    use crate::arena::sweep;
    use crate::arena::table::{self, Role};
    use crate::arena::testing::session;

    #[test]
    fn what_a_forked_child_has_in_its_memory_lives_until_it_ends() {
        let _session = session();
        let before = used();
        let parcel = Parcel::new(b"inherited", &[]).expect("memory");
        let alone = used();
        let child = table::claim("child", Role::Process).expect("a slot");
        copy_to(child.slot().expect("just claimed")).expect("memory");
        let with_table = used();
        assert!(with_table > alone, "the child has a table of its own");
        drop(parcel);
        assert_eq!(used(), with_table, "the child still counts what its parent let go of");
        child.slot().expect("it lives").presume_dead();
        sweep::release(child);
        assert_eq!(used(), before);
    }
}
