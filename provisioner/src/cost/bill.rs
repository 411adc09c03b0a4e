//! What the items cost, line by line and in all.

use jiff::Timestamp;
use serde::Serialize;

use super::cache::Prices;
use super::items::{Amount, Item, Items};
use super::money::Usd;

/// A line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The resource.
    pub address: String,
    /// What is counted.
    pub what: String,
    /// Whether it is paid by use, which is not estimated: then there is a unit price, and no cost a month.
    pub by_use: bool,
    /// By what it is priced, in AWS's word.
    pub unit: Option<String>,
    /// The price of the first unit that costs anything.
    pub unit_price: Option<Usd>,
    /// How many units a month has.
    pub quantity: Option<u64>,
    /// What it costs a month.
    pub monthly: Option<Usd>,
    /// What it costs where an Auto Scaling group is as large as it may be.
    pub at_most: Option<Usd>,
    /// Why there is no price.
    pub unknown: Option<String>,
}

/// A month's bill at on-demand list prices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bill {
    /// By resource.
    pub lines: Vec<Line>,
    /// The sum of all that is known and not by use.
    pub total: Usd,
    /// The same where Auto Scaling groups are as large as they may be.
    pub at_most: Usd,
    /// When the oldest of the prices was asked for.
    pub prices_from: Option<Timestamp>,
}

impl Bill {
    /// How many lines lack a price.
    pub fn unknown(&self) -> usize {
        self.lines.iter().filter(|line| line.unknown.is_some()).count()
    }

    /// How many lines are paid by use.
    pub fn by_use(&self) -> usize {
        self.lines.iter().filter(|line| line.by_use).count()
    }

    /// What a resource costs a month, apart from what is paid by use: none where it costs nothing, or nothing that is
    /// counted beforehand; else the sum, unless a part of it is unknown.
    pub fn of(&self, address: &str) -> Option<Option<Usd>> {
        let fixed = self.lines.iter().filter(|line| line.address == address && !line.by_use);
        fixed.map(|line| line.monthly).reduce(|sum, next| Some(sum?.plus(next?)))
    }

    /// The resources whose cost a month is unknown.
    pub fn unknown_addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self
            .lines
            .iter()
            .filter(|line| line.unknown.is_some() && !line.by_use)
            .map(|l| l.address.clone())
            .collect();
        addresses.dedup();
        addresses
    }
}

/// Makes the bill out of the prices that there are.
pub fn bill(items: &Items, prices: &Prices) -> Bill {
    let mut bill = Bill::default();
    for item in &items.items {
        let entry = prices.get(&item.query);
        if let Some(entry) = entry {
            bill.prices_from = Some(bill.prices_from.map_or(entry.at, |oldest| oldest.min(entry.at)));
        }
        let line = line(item, prices);
        bill.total = bill.total.plus(line.monthly.unwrap_or_default());
        bill.at_most = bill.at_most.plus(line.at_most.or(line.monthly).unwrap_or_default());
        bill.lines.push(line);
    }
    bill.lines.extend(items.unknown.iter().map(|address| Line {
        unknown: Some("provision does not know what AWS asks for it".to_owned()),
        ..blank(address, "")
    }));
    bill
}

fn line(item: &Item, prices: &Prices) -> Line {
    let entry = prices.get(&item.query);
    let rate = entry.and_then(|entry| entry.rate.as_ref());
    let why = || {
        let said = entry.and_then(|entry| entry.no_price.clone());
        said.unwrap_or_else(|| "the price list was not asked".to_owned())
    };
    let blank = blank(&item.address, &item.what);
    let mut line = Line {
        by_use: item.amount == Amount::Used,
        unit: rate.map(|rate| rate.unit.clone()),
        unit_price: rate.map(|rate| rate.first().unwrap_or_default()),
        unknown: rate.is_none().then(why),
        ..blank
    };
    if let Amount::Fixed { least, most } = item.amount {
        line.quantity = Some(least);
        line.monthly = rate.map(|rate| rate.monthly(least));
        line.at_most = rate.filter(|_| most != least).map(|rate| rate.monthly(most));
    }
    line
}

fn blank(address: &str, what: &str) -> Line {
    Line {
        address: address.to_owned(),
        what: what.to_owned(),
        by_use: false,
        unit: None,
        unit_price: None,
        quantity: None,
        monthly: None,
        at_most: None,
        unknown: None,
    }
}
