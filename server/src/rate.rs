//! How often one player and one address may ask.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
};

use axum::http::HeaderMap;
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};

use crate::{
    error::{Problem, RATE_LIMITED},
    store::PlayerId,
};

/// So many requests a minute, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What is regained in a minute.
    pub per_minute: NonZeroU32,
    /// What a pause saves up.
    pub burst: NonZeroU32,
}

/// The rates; unset: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one player's requests.
    pub player: Option<Rate>,
    /// Of one address's: many players share that of a mobile network.
    pub address: Option<Rate>,
}

/// Counts requests of this process. With several behind a load balancer a client gets as many times the rate.
pub struct RateLimits {
    player: Option<Limit<PlayerId>>,
    address: Option<Limit<IpAddr>>,
}

impl RateLimits {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        let player = rates.player.map(|rate| Limit::new("player", rate));
        Self { player, address: rates.address.map(|rate| Limit::new("address", rate)) }
    }

    /// Counts a player's request.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn player(&self, player: &PlayerId) -> Result<(), Problem> {
        self.player.as_ref().map_or(Ok(()), |limit| limit.count(player))
    }

    /// Counts an address's request.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn address(&self, address: IpAddr) -> Result<(), Problem> {
        self.address.as_ref().map_or(Ok(()), |limit| limit.count(&network(address)))
    }

    /// Forgets who has not asked for so long that it makes no difference.
    pub fn forget_idle(&self) {
        if let Some(limit) = &self.player {
            limit.forget_idle();
        }
        if let Some(limit) = &self.address {
            limit.forget_idle();
        }
    }
}

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    seen: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, rate: Rate) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        Self { name, seen: DefaultKeyedRateLimiter::keyed(quota) }
    }

    fn count(&self, key: &K) -> Result<(), Problem> {
        self.seen.check_key(key).map_err(|refusal| {
            metrics::counter!("http_rate_limited_total", "by" => self.name).increment(1);
            let wait = refusal.wait_time_from(self.seen.clock().now());
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            Problem::new(&RATE_LIMITED).retry_after(seconds).detail(format!("too many requests of one {}", self.name))
        })
    }

    fn forget_idle(&self) {
        self.seen.retain_recent();
        self.seen.shrink_to_fit();
    }
}

/// An IPv6 customer has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The address that the load balancer saw: it appends to what the client may have made up. Without one, the peer's.
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<IpAddr> {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()).map(str::trim);
    let parsed = last.and_then(|text| text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())));
    parsed.or(peer.map(|peer| peer.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn the_last_entry_counts() {
        let peer: SocketAddr = "10.0.0.1:80".parse().expect("an address");
        let of = |values: &[&str]| client_address(&headers(values), Some(peer)).expect("known").to_string();
        assert_eq!(of(&["1.1.1.1, 2.2.2.2"]), "2.2.2.2");
        assert_eq!(of(&["1.1.1.1", "3.3.3.3,4.4.4.4"]), "4.4.4.4");
        assert_eq!(of(&["2.2.2.2:4711"]), "2.2.2.2");
        assert_eq!(of(&["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(of(&["unknown"]), "10.0.0.1");
        assert_eq!(of(&[]), "10.0.0.1");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(parse("2001:db8:1:2::1")), network(parse("2001:db8:1:2:ffff::9")));
        assert_ne!(network(parse("2001:db8:1:2::1")), network(parse("2001:db8:1:3::1")));
        assert_eq!(network(parse("::ffff:1.2.3.4")), parse("1.2.3.4"));
    }
}
