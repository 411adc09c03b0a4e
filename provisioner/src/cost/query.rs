//! What is asked of the price list, and which of the answers is meant.

use std::collections::BTreeMap;

use super::product::{NoPrice, Product, Rate};

/// By what a price must be given, so that the quantity is one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// An hour.
    Hour,
    /// A GB kept for a month.
    GigabyteMonth,
    /// A piece, for a month or once: anything but the two above.
    Piece,
}

/// Which usage types are meant, apart from the region's prefix (`EUC1-`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// This one.
    Is(String),
    /// Those that begin so: RDS abbreviates the class after it.
    Begins(&'static str),
}

/// A question to the price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The service's code: `AmazonEC2`.
    pub service: &'static str,
    /// Attributes and their values, which AWS filters by.
    pub filters: Vec<(&'static str, String)>,
    /// The usage type, which AWS cannot filter by without the region's prefix.
    pub usage: Usage,
    /// By what the price must be given.
    pub per: Per,
}

impl Query {
    /// A question for a usage type in a region.
    pub fn new(service: &'static str, region: &str, usage: impl Into<String>, per: Per) -> Self {
        let filters = vec![("regionCode", region.to_owned())];
        Self { service, filters, usage: Usage::Is(usage.into()), per }
    }

    /// With a further attribute.
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.filters.push((attribute, value.into()));
        self
    }

    /// For usage types that begin so.
    pub fn beginning(mut self, usage: &'static str) -> Self {
        self.usage = Usage::Begins(usage);
        self
    }

    /// The name of the answer in the cache.
    pub fn key(&self) -> String {
        let filters: Vec<String> = self.filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let usage = match &self.usage {
            Usage::Is(usage) => usage.clone(),
            Usage::Begins(usage) => format!("{usage}*"),
        };
        format!("{} {} {usage} {:?}", self.service, filters.join(" "), self.per)
    }

    /// The price among the documents that AWS answered. Nothing is guessed: what several products could mean, at
    /// different prices, is no price.
    pub fn choose(&self, documents: &[String]) -> Result<Rate, NoPrice> {
        let mut meant = Vec::new();
        for document in documents {
            let product = Product::read(document)?;
            if self.means(&product.attributes) {
                meant.push(product);
            }
        }
        // RDS lists storage for an engine, or for any.
        let of_engine = |product: &Product| product.attributes.get("databaseEngine").is_some_and(|is| is == "MySQL");
        if meant.iter().any(of_engine) {
            meant.retain(of_engine);
        }
        let count = meant.len();
        let mut rates: Vec<Rate> = Vec::new();
        for product in meant {
            let rate = product.rate?;
            if !rates.contains(&rate) {
                rates.push(rate);
            }
        }
        if rates.len() > 1 {
            return Err(NoPrice::Ambiguous(count));
        }
        let rate = rates.pop().ok_or(NoPrice::Missing)?;
        if self.per.is(&rate.unit) { Ok(rate) } else { Err(NoPrice::Unit(rate.unit)) }
    }

    fn means(&self, attributes: &BTreeMap<String, String>) -> bool {
        let has = |(name, value): &(&str, String)| attributes.get(*name).is_some_and(|is| is == value);
        let usage = attributes.get("usagetype").map_or("", |usage| without_region(usage));
        let of_usage = match &self.usage {
            Usage::Is(wanted) => usage == wanted,
            Usage::Begins(wanted) => usage.starts_with(wanted),
        };
        of_usage && self.filters.iter().all(has)
    }
}

impl Per {
    fn is(self, unit: &str) -> bool {
        let hour = ["Hrs", "Hours", "hours", "hrs"].contains(&unit);
        let gigabyte_month = ["GB-Mo", "GB-month", "GB-Month"].contains(&unit);
        match self {
            Self::Hour => hour,
            Self::GigabyteMonth => gigabyte_month,
            Self::Piece => !hour && !gigabyte_month,
        }
    }
}

/// A usage type without the region's prefix: `EUC1-`, `EU-` for Ireland, and CloudFront's `US-`. us-east-1's often has
/// none. Other prefixes (`TS-`, `ExtendedSupportYr3-`) are part of the usage.
fn without_region(usage: &str) -> &str {
    let is_region = |prefix: &str| {
        let letters = prefix.trim_end_matches(|c: char| c.is_ascii_digit());
        let capitals = letters.chars().all(|c| c.is_ascii_uppercase());
        ["EU", "US"].contains(&prefix) || (capitals && letters.len() == 3 && prefix.len() > 3)
    };
    usage.split_once('-').filter(|(prefix, _)| is_region(prefix)).map_or(usage, |(_, rest)| rest)
}
