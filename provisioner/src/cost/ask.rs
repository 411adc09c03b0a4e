//! Asking the price list.

use aws_sdk_pricing::types::{Filter, FilterType};
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;

use super::cache::Prices;
use super::query::Query;
use crate::aws::error::CallError;

/// Questions at once: the price list allows few calls a second.
const AT_ONCE: usize = 5;

/// Asks `queries` and puts the answers into `prices`, one by one, so that whoever stops waiting keeps what is there. The
/// first is asked alone: where it is refused, the others are not asked.
pub async fn ask(
    client: &aws_sdk_pricing::Client,
    prices: &mut Prices,
    queries: Vec<Query>,
    now: impl Fn() -> Timestamp,
) -> Result<(), CallError> {
    let mut queries = queries.into_iter();
    let Some(first) = queries.next() else { return Ok(()) };
    let answer = documents(client, &first).await?;
    prices.put(&first, first.choose(&answer), now());
    let mut answers = stream::iter(queries)
        .map(|query| async move {
            let answer = documents(client, &query).await;
            (query, answer)
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some((query, answer)) = answers.next().await {
        match answer {
            Ok(answer) => prices.put(&query, query.choose(&answer), now()),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn documents(client: &aws_sdk_pricing::Client, query: &Query) -> Result<Vec<String>, CallError> {
    let mut call = client.get_products().service_code(query.service).format_version("aws_v1");
    for (field, value) in &query.filters {
        let filter = Filter::builder().r#type(FilterType::TermMatch).field(*field).value(value).build();
        call = call.filters(filter.expect("a filter with its type, field and value is whole"));
    }
    let pages = call.into_paginator().items().send();
    pages.collect::<Result<Vec<String>, _>>().await.map_err(CallError::from)
}
