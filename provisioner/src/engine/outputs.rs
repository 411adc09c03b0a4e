//! What a stack offers to those outside: its addresses.

use serde::Serialize;

use super::observed::Inventory;
use crate::kinds::{Observed, bucket, distribution};

/// The addresses of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// The address of the API that answers from here.
    pub api_url: Option<String>,
    /// The API's address by its own domain, whether it resolves from here or not.
    pub domain_url: Option<String>,
    /// The address of the assets that answers from here.
    pub assets_url: Option<String>,
    /// The stack's name.
    pub stack: String,
    /// SHA-256 of the release that the stack is told to run.
    pub release: Option<String>,
}

impl Outputs {
    /// The API's address, where it can be asked from here. Behind HTTPS alone and without a name that resolves, no
    /// certificate fits.
    pub fn askable(&self) -> Option<&str> {
        let api = self.api_url.as_deref()?;
        (api.starts_with("http://") || self.domain_url.as_deref() == Some(api)).then_some(api)
    }
}

/// Reads the outputs off the live resources. `endpoint_url`: the local AWS, where CloudFront has no address of its own.
pub async fn outputs(stack: &str, inventory: &Inventory, endpoint_url: Option<&str>) -> Outputs {
    let live = |address: &str| inventory.live.get(address);
    let named = |address: &str| live(address).and_then(|record| record.attrs.get("name")).cloned();
    let balancer = live("load-balancer").and_then(|lb| lb.attrs.get("dns_name"));
    let https = live("listener/https").map(port);
    let http = live("listener/http").map(port);
    let redirects =
        live("listener/http").is_some_and(|l| l.props.get("redirect").is_some_and(serde_json::Value::is_number));
    let domain_url = named("record/api").map(|name| match https {
        Some(port) => url("https", &name, port),
        None => url("http", &name, http.unwrap_or(80)),
    });
    let own = balancer.and_then(|dns| match (http, https) {
        (Some(port), _) if !redirects => Some(url("http", dns, port)),
        (_, Some(port)) => Some(url("https", dns, port)),
        _ => None,
    });
    let api_url = if endpoint_url.is_none() && resolves(named("record/api")).await { domain_url.clone() } else { own };
    let assets_url = assets_url(inventory, endpoint_url).await;
    let release = live("release").and_then(|release| release.attrs.get("sha256")).cloned();
    Outputs { api_url, domain_url, assets_url, stack: stack.to_owned(), release }
}

/// Where clients find the assets: the distribution's own name where that resolves, else CloudFront's for it; at a local AWS
/// the bucket's address.
pub async fn assets_url(inventory: &Inventory, endpoint_url: Option<&str>) -> Option<String> {
    if let Some(endpoint) = endpoint_url {
        return inventory.live.get(bucket::ASSETS).map(|live| bucket::address_at(endpoint, &live.id));
    }
    let distribution = inventory.live.get(distribution::ADDRESS)?;
    let alias = distribution.props.pointer("/aliases/0").and_then(serde_json::Value::as_str).map(str::to_owned);
    let name = if resolves(alias.clone()).await { alias } else { distribution.attrs.get("domain").cloned() };
    name.map(|name| format!("https://{name}"))
}

fn port(listener: &Observed) -> u64 {
    listener.props.get("port").and_then(serde_json::Value::as_u64).unwrap_or_default()
}

fn url(scheme: &str, host: &str, port: u64) -> String {
    match (scheme, port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

async fn resolves(name: Option<String>) -> bool {
    let Some(name) = name else { return false };
    let looked_up = tokio::net::lookup_host((name.as_str(), 443));
    match tokio::time::timeout(std::time::Duration::from_secs(2), looked_up).await {
        Ok(Ok(mut found)) => found.next().is_some(),
        _ => false,
    }
}
