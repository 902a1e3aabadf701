//! Sorting out what is in a channel, behind a curtain: nobody gets a message that was only passed over.
//!
//! Who sorts out is the one producer, and all who take die with it: nobody waits behind the curtain of the dead.

use super::{Channel, Message};

/// Who takes finds nothing while this lives.
struct Curtain<'a>(&'a Channel);

impl<'a> Curtain<'a> {
    fn draw(channel: &'a Channel) -> Self {
        let layout = channel.layout();
        layout.object.guard.lock().commit([(&layout.sorting, 1)]);
        Self(channel)
    }
}

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        let layout = self.0.layout();
        let held = layout.object.guard.lock();
        held.commit([(&layout.sorting, 0)]);
        let wakeup = layout.items.changed_for_all();
        drop(held);
        wakeup.send();
    }
}

impl Channel {
    /// Takes each message that is there, and gives it, with its bytes, to `sort`, which puts it back if it is to stay.
    pub fn sorted_out(&self, mut sort: impl FnMut(&Message, &[u8])) {
        let _curtain = Curtain::draw(self);
        let mut buffer = Vec::new();
        for _ in 0..self.len() {
            let Some(message) = self.take_now(&mut buffer) else { return };
            sort(&message, message.bytes(&buffer));
        }
    }
}
