//! A product of the price list, as `GetProducts` answers it: a JSON document in a string.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::money::Usd;

/// A price a unit, which may be another from a quantity on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// What it is for one of: `Hrs`, `GB-Mo`.
    pub unit: String,
    /// The tiers, the first from 0 on.
    pub tiers: Vec<Tier>,
}

/// A tier of a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The quantity in a month from which it counts.
    pub from: u64,
    /// The price a unit.
    pub usd: Usd,
}

impl Rate {
    /// The price of the first unit that costs anything. `None`: it is free.
    pub fn first(&self) -> Option<Usd> {
        self.tiers.iter().map(|tier| tier.usd).find(|usd| !usd.is_zero())
    }

    /// What `quantity` a month costs. A free tier is an account's, once, and not a stack's: it counts as the tier after it.
    pub fn monthly(&self, quantity: u64) -> Usd {
        let first = self.first().unwrap_or_default();
        let mut sum = Usd::ZERO;
        for (index, tier) in self.tiers.iter().enumerate() {
            let end = self.tiers.get(index + 1).map_or(u64::MAX, |next| next.from);
            let within = quantity.min(end).saturating_sub(tier.from);
            let free = tier.usd.is_zero() && self.tiers[..index].iter().all(|before| before.usd.is_zero());
            sum = sum.plus(if free { first } else { tier.usd }.times(within));
        }
        sum
    }
}

/// Why there is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// No product has these attributes.
    #[error("the price list has no such product")]
    Missing,
    /// Several do, at different prices.
    #[error("{0} products match, at different prices")]
    Ambiguous(usize),
    /// It is not sold on demand.
    #[error("it has no on-demand price")]
    NotOnDemand,
    /// It is sold in another currency.
    #[error("it is priced in {0}")]
    Currency(String),
    /// It is sold by another unit than the one that is counted.
    #[error("it is priced by {0}")]
    Unit(String),
    /// The answer is none that is known.
    #[error("the price list's answer cannot be read: {0}")]
    Unreadable(String),
}

/// A product with its on-demand price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its attributes, `productFamily` among them.
    pub attributes: BTreeMap<String, String>,
    /// Its price.
    pub rate: Result<Rate, NoPrice>,
}

impl Product {
    /// Reads a document of the price list.
    pub fn read(document: &str) -> Result<Self, NoPrice> {
        let document: Value = serde_json::from_str(document).map_err(|error| NoPrice::Unreadable(error.to_string()))?;
        let product = &document["product"];
        let attributes = product["attributes"].as_object();
        let attributes = attributes.ok_or_else(|| NoPrice::Unreadable("no product.attributes".to_owned()))?;
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let mut attributes: BTreeMap<String, String> = attributes.iter().filter_map(text).collect();
        if let Some(family) = product["productFamily"].as_str() {
            attributes.insert("productFamily".to_owned(), family.to_owned());
        }
        Ok(Self { attributes, rate: on_demand(&document["terms"]["OnDemand"]) })
    }
}

fn on_demand(terms: &Value) -> Result<Rate, NoPrice> {
    let terms = terms.as_object().filter(|terms| !terms.is_empty()).ok_or(NoPrice::NotOnDemand)?;
    let mut rates: Vec<Rate> = terms.values().map(rate).collect::<Result<_, _>>()?;
    rates.dedup();
    if rates.len() > 1 {
        return Err(NoPrice::Ambiguous(rates.len()));
    }
    rates.pop().ok_or(NoPrice::NotOnDemand)
}

fn rate(term: &Value) -> Result<Rate, NoPrice> {
    let dimensions = term["priceDimensions"].as_object().filter(|dimensions| !dimensions.is_empty());
    let dimensions = dimensions.ok_or(NoPrice::NotOnDemand)?;
    let mut unit = None;
    let mut tiers: Vec<Tier> = Vec::new();
    for dimension in dimensions.values() {
        let of = dimension["unit"].as_str().unwrap_or_default().to_owned();
        if *unit.get_or_insert_with(|| of.clone()) != of {
            return Err(NoPrice::Unreadable("one price by two units".to_owned()));
        }
        tiers.push(Tier { from: begin(&dimension["beginRange"])?, usd: dollars(&dimension["pricePerUnit"])? });
    }
    tiers.sort_by_key(|tier| tier.from);
    let is_whole = tiers[0].from == 0 && tiers.windows(2).all(|pair| pair[0].from < pair[1].from);
    if !is_whole {
        return Err(NoPrice::Unreadable("its tiers do not follow each other".to_owned()));
    }
    Ok(Rate { unit: unit.unwrap_or_default(), tiers })
}

/// Where a tier begins; without a word from the start.
fn begin(value: &Value) -> Result<u64, NoPrice> {
    let Some(text) = value.as_str() else { return Ok(0) };
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().map_err(|_| NoPrice::Unreadable(format!("a tier that begins at {text}")))
}

fn dollars(price: &Value) -> Result<Usd, NoPrice> {
    let unreadable = || NoPrice::Unreadable(format!("pricePerUnit is {price}"));
    let currencies = price.as_object().ok_or_else(unreadable)?;
    match currencies.get("USD") {
        Some(usd) => usd.as_str().and_then(Usd::parse).ok_or_else(unreadable),
        None => Err(currencies.keys().next().map_or_else(unreadable, |currency| NoPrice::Currency(currency.clone()))),
    }
}
