//! `provision cost`

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Exit, Outcome, Run};
use crate::aws::Aws;
use crate::cost::{Bill, HOURS, Items, Prices, ask, bill, cache_home, items};
use crate::engine::guard::Guard;
use crate::engine::priced::{things, unseen};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision cost blueprints/production.toml")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// Ask for every price again; without it prices are kept for a week
    #[arg(long)]
    refresh: bool,
    /// Ask for nothing: count with the prices that are kept, however old
    #[arg(long, conflicts_with = "refresh")]
    offline: bool,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let region = &blueprint.stack.region;
    let mut connection = run.connection.clone();
    connection.region = Some(region.clone());
    let connected = Aws::connect(&connection, Arc::new(Guard::default())).await;
    let aws = connected.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let nodes = unseen(&blueprint);
    let items = items(region, &things(&nodes));
    let mut prices = Prices::open(&cache_home(), aws.endpoint_url.as_deref(), region);
    if !args.offline {
        renew(run, &aws, &items, &mut prices, args.refresh).await;
    }
    let bill = bill(&items, &prices);
    if run.ui.json {
        run.ui.document(&document(&blueprint.stack_name(), region, &bill));
    } else {
        run.ui.bill(&format!("{} in {region}", blueprint.stack_name()), &bill, Timestamp::now());
    }
    Ok(Exit::Done)
}

/// Asks for what is not kept, or old. What cannot be asked stays as it is, and is said.
async fn renew(run: &Run, aws: &Aws, items: &Items, prices: &mut Prices, refresh: bool) {
    let queries = items.items.iter().map(|item| item.query.clone());
    let missing = prices.missing(queries, Timestamp::now(), refresh);
    if let Err(error) = ask(&aws.pricing, prices, missing, Timestamp::now).await {
        run.ui.warn(&error, "prices that are kept are used, however old; the others are unknown");
    }
    if let Err(error) = prices.save() {
        run.ui.warn(&error, "the prices could not be kept: set XDG_CACHE_HOME to a writable directory");
    }
}

fn document(stack: &str, region: &str, bill: &Bill) -> serde_json::Value {
    serde_json::json!({
        "stack": stack,
        "region": region,
        "currency": "USD",
        "hours_per_month": HOURS,
        "monthly": bill.total,
        "at_most": bill.at_most,
        "unknown": bill.unknown(),
        "by_use": bill.by_use(),
        "prices_from": bill.prices_from,
        "lines": bill.lines,
    })
}
