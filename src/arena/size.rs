//! The size classes of blocks: 64-byte steps up to 256 bytes, then four steps a doubling, so that at
//! most a fifth of a block is wasted.

/// The number of classes; the last is larger than any segment.
pub const CLASSES: usize = 128;

const SMALL: usize = 4;
const STEP: u64 = 64;

/// The bytes of a block of `class`.
pub fn class_size(class: usize) -> u64 {
    if class < SMALL {
        STEP * (class as u64 + 1)
    } else {
        let doubling = (class - SMALL) / 4;
        let step = (class - SMALL) % 4;
        ((4 * STEP) << doubling) + (STEP << doubling) * (step as u64 + 1)
    }
}

/// The smallest class whose blocks have `size` bytes; `None` if none has.
pub fn class_of(size: u64) -> Option<usize> {
    let size = size.max(1);
    if size > 1 << 48 {
        return None;
    }
    if size <= 4 * STEP {
        return Some((size.div_ceil(STEP) - 1) as usize);
    }
    // 256 < size: the doubling is that of size - 1.
    let doubling = (size - 1).ilog2() - 8;
    let base = (4 * STEP) << doubling;
    let step = (size - base).div_ceil(STEP << doubling) - 1;
    let class = SMALL + doubling as usize * 4 + step as usize;
    (class < CLASSES).then_some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_and_are_multiples_of_64() {
        for class in 1..CLASSES {
            assert!(class_size(class) > class_size(class - 1));
            assert_eq!(class_size(class) % STEP, 0);
        }
    }

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for size in (1..100_000).chain([1 << 20, (1 << 20) + 1, 1 << 30, (1 << 30) - 1]) {
            let class = class_of(size).expect("a class");
            assert!(class_size(class) >= size, "{size}");
            assert!(class == 0 || class_size(class - 1) < size, "{size}");
        }
    }

    #[test]
    fn what_no_class_holds_is_refused() {
        assert_eq!(class_of(u64::MAX), None);
        assert_eq!(class_of((1 << 48) + 1), None);
    }
}
