//! US dollars, exact: no float ever holds a price.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits after the point: AWS writes at most ten.
const DIGITS: u32 = 12;
const DOLLAR: i128 = 10_i128.pow(DIGITS);
const CENT: i128 = DOLLAR / 100;

/// An amount in US dollars, exact to 10^-12; differences may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Usd(i128);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal as the price list writes it: `0.0225000000`, rarely `4.0E-7`. `None`: it is none, or not exact.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let mut amount: i128 = digits.parse().ok()?;
        let shift = i32::try_from(DIGITS).ok()? + exponent - i32::try_from(fraction.len()).ok()?;
        for _ in 0..shift.max(0) {
            amount = amount.checked_mul(10)?;
        }
        for _ in shift.min(0)..0 {
            if amount % 10 != 0 {
                return None;
            }
            amount /= 10;
        }
        Some(Self(amount))
    }

    /// So many times as much.
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether it is nothing at all.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Every digit that says anything: `0.0225`.
    pub fn exact(self) -> String {
        let (sign, amount) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let dollar = DOLLAR.unsigned_abs();
        let fraction = format!("{:0width$}", amount % dollar, width = DIGITS as usize);
        let fraction = fraction.trim_end_matches('0');
        format!("{sign}{}{}{fraction}", amount / dollar, if fraction.is_empty() { "" } else { "." })
    }

    /// To the cent, half a cent up: `19.71`.
    pub fn cents(self) -> String {
        let cents = (self.0.abs() + CENT / 2) / CENT;
        let sign = if self.0 < 0 && cents != 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }

    /// A difference with its sign: `+$3.10`, `-$3.10`.
    pub fn signed(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "+" };
        format!("{sign}${}", Self(self.0.abs()).cents())
    }
}

impl fmt::Display for Usd {
    /// To the cent where there is one, else exact: what costs something is never shown as 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 != 0 && self.0.abs() < CENT / 2 {
            write!(f, "${}", self.exact())
        } else {
            write!(f, "${}", self.cents())
        }
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("no amount: {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap_or_else(|| panic!("no amount: {text}"))
    }

    #[test]
    fn decimals_are_exact() {
        for (text, exact) in [
            ("0.0225000000", "0.0225"),
            ("0.0000004000", "0.0000004"),
            ("4.0E-7", "0.0000004"),
            ("1.5e2", "150"),
            ("0", "0"),
            ("51", "51"),
            (".5", "0.5"),
        ] {
            assert_eq!(usd(text).exact(), exact, "{text}");
        }
        for text in ["", ".", "-1", "1,5", "abc", "0.0000000000001", "1e", "NaN", "inf", "1e99"] {
            assert_eq!(Usd::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sums_do_not_drift() {
        let tenth = usd("0.1");
        let sum = (0..10).fold(Usd::ZERO, |sum, _| sum.plus(tenth));
        assert_eq!(sum, usd("1"));
        assert_eq!(usd("0.0225").times(730).cents(), "16.43");
        assert_eq!(usd("0.005").times(730).cents(), "3.65");
    }

    #[test]
    fn shown_to_the_cent_and_never_as_nothing() {
        assert_eq!(usd("0.004").to_string(), "$0.004");
        assert_eq!(usd("0.005").to_string(), "$0.01");
        assert_eq!(usd("1234.5").to_string(), "$1234.50");
        assert_eq!(Usd::ZERO.to_string(), "$0.00");
        assert_eq!(usd("1").minus(usd("3.1")).signed(), "-$2.10");
        assert_eq!(usd("3.1").minus(usd("1")).signed(), "+$2.10");
    }
}
