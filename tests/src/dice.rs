//! Chance that can be repeated.

/// A sequence of numbers drawn from a seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// From `$SEED` if that is set, else from the clock; says which, so that a run can be repeated.
    #[allow(clippy::print_stdout, reason = "tests print what they draw")]
    pub fn cast() -> Self {
        let clock =
            || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.subsec_nanos());
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(clock()));
        println!("SEED={seed}");
        Self::new(seed)
    }

    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `most`.
    pub fn roll(&mut self, most: u64) -> u64 {
        // xorshift: any spread will do.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    /// `count` of `items`, in the order drawn.
    pub fn draw<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        let mut drawn = Vec::new();
        while drawn.len() < count && !items.is_empty() {
            let at = usize::try_from(self.roll(items.len() as u64)).expect("an index");
            drawn.push(items.swap_remove(at));
        }
        drawn
    }
}
