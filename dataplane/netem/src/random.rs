//! Seeded randomness: `SplitMix64` spreads a seed, `xoshiro256**` draws from it (Blackman and Vigna, "Scrambled
//! linear pseudorandom number generators", 2018).
//!
//! Every stage of every link draws from a stream of its own, so that adding jitter does not move the losses.
//! Only additions, multiplications and comparisons of IEEE 754 numbers are used, no library function, so that a
//! seed gives the same run on every machine.

/// Which way a link of a pair carries; part of what its streams are derived from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// From the first endpoint of a pair to the second.
    Forward,
    /// From the second to the first.
    Backward,
}

/// What a stream of random numbers is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Loss at entry; the number tells the parts of a composed loss apart.
    Loss(u32),
    /// Duplication.
    Duplication,
    /// Jitter.
    Jitter,
    /// Reordering.
    Reordering,
    /// Steps of the base delay.
    DelaySteps,
    /// Times and sizes of delay spikes.
    DelaySpikes,
    /// Not a stage of a link: the n-th link of a topology derives its own seed.
    Link(u32),
    /// Not a stage of a link: the n-th source of traffic draws from a stream of its own.
    Source(u32),
}

impl Stage {
    fn number(self) -> u64 {
        match self {
            Stage::Loss(part) => (1 << 32) | u64::from(part),
            Stage::Duplication => 2 << 32,
            Stage::Jitter => 3 << 32,
            Stage::Reordering => 4 << 32,
            Stage::DelaySteps => 5 << 32,
            Stage::Link(index) => (6 << 32) | u64::from(index),
            Stage::DelaySpikes => 7 << 32,
            Stage::Source(index) => (8 << 32) | u64::from(index),
        }
    }
}

/// The generator that spreads a 64-bit seed over larger states.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at a seed; every seed is as good as another.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A seed that depends on all three, for a stream or for a link.
pub fn derive(seed: u64, direction: Direction, stage: Stage) -> u64 {
    let direction = match direction {
        Direction::Forward => 1,
        Direction::Backward => 2,
    };
    let seed = SplitMix64::new(seed).next_u64();
    let seed = SplitMix64::new(seed ^ direction).next_u64();
    SplitMix64::new(seed ^ stage.number()).next_u64()
}

/// A probability as the number of 2^53 equally likely draws that mean yes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probability(u64);

impl Probability {
    const DRAWS: u64 = 1 << 53;

    /// From a number; below 0 or not a number is never, above 1 is always.
    pub fn new(probability: f64) -> Probability {
        if probability > 0.0 {
            // 2^53 is exact in a double, and so is every product below it to within one draw.
            Probability((probability.min(1.0) * Self::DRAWS as f64) as u64)
        } else {
            Probability(0)
        }
    }
}

/// One stream of random numbers: `xoshiro256**`.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Random {
        let mut spread = SplitMix64::new(seed);
        Random { state: std::array::from_fn(|_| spread.next_u64()) }
    }

    /// The stream of one stage of one link.
    pub fn stream(seed: u64, direction: Direction, stage: Stage) -> Random {
        Random::new(derive(seed, direction, stage))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let drawn = s1.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= shifted;
        *s3 = s3.rotate_left(45);
        drawn
    }

    /// Evenly among `0..bound`; 0 when `bound` is 0. The bias of at most `bound` in 2^64 is far below any test's
    /// resolution.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly in `0.0..1.0`, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / Probability::DRAWS as f64
    }

    /// Whether something of this probability happens. Always draws once.
    pub fn chance(&mut self, probability: Probability) -> bool {
        (self.next_u64() >> 11) < probability.0
    }

    /// Standard normal, exact but for the resolution of a double: algorithm N of Karney, "Sampling exactly from the
    /// normal distribution" (2016), which needs no logarithm.
    pub fn normal(&mut self) -> f64 {
        loop {
            let mut whole = 0_u32;
            while self.chance_exp(0.5) {
                whole += 1;
            }
            // Accept the whole part with exp(-whole * (whole - 1) / 2).
            if !(0..whole * whole.saturating_sub(1)).all(|_| self.chance_exp(0.5)) {
                continue;
            }
            let fraction = self.unit();
            let k = f64::from(whole);
            // Accept the fraction x with exp(-x * (2k + x) / 2), as k + 1 factors whose exponents are below 1.
            let exponent = fraction * (2.0 * k + fraction) / (2.0 * k + 2.0);
            if (0..=whole).all(|_| self.chance_exp(exponent)) {
                let size = k + fraction;
                return if self.next_u64() >> 63 == 0 { size } else { -size };
            }
        }
    }

    /// Exponential of mean 1 (von Neumann 1951).
    pub fn exponential(&mut self) -> f64 {
        let mut whole = 0.0;
        loop {
            let fraction = self.unit();
            if self.chance_exp(fraction) {
                return whole + fraction;
            }
            whole += 1.0;
        }
    }

    /// Whether something of probability exp(-`exponent`) happens, for exponents in `0.0..=1.0`: the length of a run of
    /// falling uniform numbers below the exponent is even with just that probability (von Neumann 1951).
    fn chance_exp(&mut self, exponent: f64) -> bool {
        let mut bound = exponent;
        let mut even = true;
        loop {
            let drawn = self.unit();
            if drawn >= bound {
                return even;
            }
            bound = drawn;
            even = !even;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_follows_the_published_sequence() {
        let mut random = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn xoshiro_follows_the_published_sequence() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let drawn: Vec<u64> = (0..6).map(|_| random.next_u64()).collect();
        let published = [
            11_520,
            0,
            1_509_978_240,
            1_215_971_899_390_074_240,
            1_216_172_134_540_287_360,
            607_988_272_756_665_600,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn streams_differ_by_seed_direction_and_stage() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..8 {
            for direction in [Direction::Forward, Direction::Backward] {
                for stage in
                    [Stage::Loss(0), Stage::Loss(1), Stage::Duplication, Stage::Jitter, Stage::Reordering]
                {
                    seen.insert(Random::stream(seed, direction, stage).next_u64());
                }
            }
        }
        assert_eq!(seen.len(), 8 * 2 * 5);
    }

    #[test]
    fn chances_are_met_and_the_edges_are_certain() {
        let mut random = Random::new(7);
        let hits = (0..1_000_000).filter(|_| random.chance(Probability::new(0.05))).count();
        assert!((49_000..51_000).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| random.chance(Probability::new(1.0))));
        assert!(!(0..1_000).any(|_| random.chance(Probability::new(0.0))));
        assert!(!(0..1_000).any(|_| random.chance(Probability::new(f64::NAN))));
    }

    #[test]
    fn normal_has_the_moments_and_tails_of_the_normal() {
        let mut random = Random::new(3);
        let count = 200_000;
        let drawn: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / f64::from(count);
        let square = drawn.iter().map(|z| z * z).sum::<f64>() / f64::from(count);
        let beyond_two = drawn.iter().filter(|z| z.abs() > 2.0).count();
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((square - 1.0).abs() < 0.02, "{square}");
        // 4.55 % of a normal lie beyond two standard deviations.
        assert!((8_700..9_500).contains(&beyond_two), "{beyond_two}");
    }

    #[test]
    fn exponential_has_mean_and_median_of_the_exponential() {
        let mut random = Random::new(4);
        let drawn: Vec<f64> = (0..200_000).map(|_| random.exponential()).collect();
        let mean = drawn.iter().sum::<f64>() / 200_000.0;
        let below_median = drawn.iter().filter(|x| **x < std::f64::consts::LN_2).count();
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((99_000..101_000).contains(&below_median), "{below_median}");
    }
}
