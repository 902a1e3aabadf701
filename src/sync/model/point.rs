//! A wait point, as `wait` has it.

/// Where a sleeper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sleep {
    /// About to sleep while the sequence is this.
    Begin(u8),
    /// Asleep since then.
    Asleep(u8),
    /// Awake, and about to take itself off the count, if nobody did.
    Awake(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Point {
    sequence: u8,
    sleepers: u8,
    /// The sequence beside the count.
    counted: u8,
}

impl Point {
    /// Counts a sleeper.
    pub fn enter(&mut self) -> Sleep {
        self.sleepers += 1;
        Sleep::Begin(self.sequence)
    }

    /// The next step of a sleeper that is not asleep; `None` when it is through.
    pub fn step(&mut self, sleep: Sleep) -> Option<Sleep> {
        match sleep {
            Sleep::Begin(ticket) if ticket == self.sequence => Some(Sleep::Asleep(ticket)),
            Sleep::Begin(ticket) | Sleep::Asleep(ticket) => Some(Sleep::Awake(ticket)),
            Sleep::Awake(ticket) => {
                if self.counted == ticket {
                    self.sleepers = self.sleepers.saturating_sub(1);
                }
                None
            }
        }
    }

    /// Takes all off the count; whether there was anybody. Then [`Point::advance`] is the next step.
    pub fn take_off(&mut self) -> bool {
        let anybody = self.sleepers > 0;
        if anybody {
            (self.sleepers, self.counted) = (0, self.sequence + 1);
        }
        anybody
    }

    /// The next sequence begins.
    pub fn advance(&mut self) {
        self.sequence += 1;
    }
}
