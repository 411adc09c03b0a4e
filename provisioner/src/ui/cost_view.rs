//! A bill as text, and what a plan changes of it.

use jiff::Timestamp;
use owo_colors::OwoColorize;

use crate::cost::{Bill, CostChange, HOURS, Line, PlanCost, Usd};

/// Rows of a table: address, what, cost a month. Resources of one sort that cost alike share a row.
pub fn fixed_rows(bill: &Bill) -> Vec<Vec<String>> {
    let mut rows: Vec<(String, &Line, usize)> = Vec::new();
    for line in bill.lines.iter().filter(|line| !line.by_use) {
        let sort = line.address.split('/').next().unwrap_or_default().to_owned();
        let alike = |(of, other, _): &&mut (String, &Line, usize)| {
            *of == sort && other.what == line.what && other.monthly == line.monthly && other.unknown == line.unknown
        };
        match rows.iter_mut().find(alike) {
            Some((_, _, count)) => *count += 1,
            None => rows.push((sort, line, 1)),
        }
    }
    let row = |(sort, line, count): (String, &Line, usize)| {
        let address = if count == 1 { line.address.clone() } else { format!("{sort} ({count})") };
        vec![address, line.what.clone(), monthly(line, count)]
    };
    rows.into_iter().map(row).collect()
}

fn monthly(line: &Line, count: usize) -> String {
    let of_all = |usd: Usd| usd.times(count as u64);
    match (line.monthly, line.at_most, &line.unknown) {
        (Some(monthly), Some(most), _) => format!("{} (at most {})", of_all(monthly), of_all(most)),
        (Some(monthly), None, _) => of_all(monthly).to_string(),
        (None, _, reason) => format!("unknown: {}", reason.as_deref().unwrap_or("no price")),
    }
}

/// Rows of a table: address, what, unit price.
pub fn by_use_rows(bill: &Bill) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in bill.lines.iter().filter(|line| line.by_use) {
        let sort = line.address.split('/').next().unwrap_or_default().to_owned();
        let price = match (line.unit_price, &line.unknown) {
            (Some(price), _) => format!("${}", price.exact()),
            (None, reason) => format!("unknown: {}", reason.as_deref().unwrap_or("no price")),
        };
        let row = vec![sort, line.what.clone(), price];
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// The sum, and what is not in it.
pub fn total(bill: &Bill, now: Timestamp) -> String {
    let fixed = bill.lines.iter().filter(|line| !line.by_use);
    let (count, unknown) = (fixed.clone().count(), fixed.filter(|line| line.unknown.is_some()).count());
    if count > 0 && unknown == count {
        return format!("{}: no price is known", "unknown".bold());
    }
    let mut text = format!("at least {} a month", bill.total.to_string().bold());
    if bill.at_most != bill.total {
        text.push_str(&format!(", {} with as many servers as there may be", bill.at_most));
    }
    let unknown = match unknown {
        0 => String::new(),
        1 => "1 unknown price, ".to_owned(),
        unknown => format!("{unknown} unknown prices, "),
    };
    text.push_str(&format!(
        "\nnot in it: {unknown}what is paid by use, discounts, free tiers, taxes; a month is {HOURS} hours, on demand"
    ));
    if let Some(from) = bill.prices_from {
        text.push_str(&format!("\n{}", dated(from, now)));
    }
    text
}

/// How old the prices are.
pub fn dated(from: Timestamp, now: Timestamp) -> String {
    let days = now.duration_since(from).as_hours() / 24;
    let age = match days {
        ..1 => "today".to_owned(),
        1 => "1 day old".to_owned(),
        days => format!("{days} days old"),
    };
    format!("prices of {} ({age})", from.strftime("%Y-%m-%d"))
}

/// What a change does to the monthly cost.
pub fn change(change: &CostChange) -> String {
    change.difference().map_or("cost unknown".to_owned(), |difference| {
        if difference.is_zero() { "same cost".to_owned() } else { format!("{} a month", difference.signed()) }
    })
}

/// What a plan does to the stack's monthly cost.
pub fn plan_total(cost: &PlanCost) -> String {
    if !cost.is_known() {
        return "monthly cost unknown: `provision cost` asks AWS's price list".to_owned();
    }
    let without = match &cost.unknown[..] {
        [] => String::new(),
        few @ ([_] | [_, _] | [_, _, _]) => format!(" without {} (unknown)", few.join(", ")),
        many => format!(" without {} resources (unknown)", many.len()),
    };
    let (before, after) = (cost.before.to_string(), cost.after.to_string());
    format!("at least {before} a month now, {}{without} afterwards, and what is paid by use", after.bold())
}
