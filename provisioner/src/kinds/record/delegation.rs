//! Whether the world finds a zone: without that a certificate is never issued.

use std::collections::BTreeSet;

use hickory_resolver::TokioResolver;

use super::canonical;
use crate::kinds::{Cx, Error, Result};

/// What the public DNS says of a name.
#[derive(Debug, PartialEq)]
enum Answer {
    /// These name servers; none: nobody delegates it.
    Servers(BTreeSet<String>),
    /// No name server could be asked.
    Unknown,
}

/// Looks the name servers of the zone that holds `name` up in the public DNS, where AWS itself is spoken to; an endpoint of
/// the user's own has no public DNS. `servers` (comma separated) empty: nothing to prove.
pub async fn must_be_delegated(cx: &Cx, name: &str, servers: &str) -> Result<()> {
    if servers.is_empty() || cx.aws.endpoint_url.is_some() {
        return Ok(());
    }
    let Ok(resolver) = TokioResolver::builder_tokio().and_then(|builder| builder.build()) else { return Ok(()) };
    let wanted: BTreeSet<String> = servers.split(',').map(canonical).collect();
    for zone in zones_above(name) {
        match lookup(&resolver, zone).await {
            Answer::Servers(found) if !found.is_disjoint(&wanted) => return Ok(()),
            Answer::Servers(_) => {}
            // The wait for the certificate will tell.
            Answer::Unknown => return Ok(()),
        }
    }
    Err(Error::Refused {
        what: format!("nobody delegates the zone of {name} to the name servers that Route 53 gave it"),
        help: format!(
            "set the zone's NS records at the registrar (or in its parent zone) to {}, then run the command again",
            servers.replace(',', ", ")
        ),
    })
}

/// `a.b.example.com`: itself, `b.example.com`, `example.com`.
fn zones_above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |zone| zone.split_once('.').map(|(_, parent)| parent))
        .filter(|zone| zone.contains('.'))
}

async fn lookup(resolver: &TokioResolver, zone: &str) -> Answer {
    match resolver.ns_lookup(format!("{zone}.")).await {
        Ok(found) => Answer::Servers(found.answers().iter().map(|r| canonical(&r.data.to_string())).collect()),
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Answer::Servers(BTreeSet::new()),
        Err(_) => Answer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_looked_for_upwards() {
        let zones: Vec<_> = zones_above("api.game.example.com").collect();
        assert_eq!(zones, ["api.game.example.com", "game.example.com", "example.com"]);
    }
}
