//! `[network]`, and how its range is cut into subnets.

use ipnet::Ipv4Net;
use serde::Serialize;

/// The most zones a stack can spread over. The cut leaves room for so many, so that adding a zone moves no subnet.
pub const MAX_ZONES: usize = 8;

/// The smallest VPC: its public subnets are /27, the least that a load balancer takes.
pub const LONGEST_PREFIX: u8 = 22;

/// `[network]`: the VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// The id of an existing VPC to use; none: the stack makes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// The VPC's IPv4 range; in an existing VPC the part of it that is the stack's.
    pub cidr: Ipv4Net,
    /// The zones it spreads over.
    pub zones: ZoneSpec,
    /// How servers in private subnets reach the internet.
    pub nat: Nat,
}

/// Which availability zones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ZoneSpec {
    /// So many, chosen among those that have everything that the stack needs.
    Count(u8),
    /// These, by name.
    Named(Vec<String>),
}

impl ZoneSpec {
    /// How many zones.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => usize::from(*count),
            Self::Named(names) => names.len(),
        }
    }
}

/// NAT gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// One in each zone: losing a zone costs nobody else the way out.
    PerZone,
    /// One for all.
    Single,
    /// None: servers live in the public subnets with public addresses, reached through the load balancer alone.
    None,
}

/// What a subnet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Load balancer and NAT gateways; the servers too where there is no NAT.
    Public,
    /// Servers.
    App,
    /// Database and cache; no way out.
    Data,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 3] = [Self::Public, Self::App, Self::Data];

    /// As in addresses: `public`, `app`, `data`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::App => "app",
            Self::Data => "data",
        }
    }
}

/// One subnet of the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Subnet {
    /// What it is for.
    pub tier: Tier,
    /// Number of its zone, from 1.
    pub zone: usize,
    /// Its range.
    pub cidr: Ipv4Net,
}

impl Subnet {
    /// Its address in the graph: `subnet/app-1`.
    pub fn address(&self) -> String {
        format!("subnet/{}-{}", self.tier.as_str(), self.zone)
    }
}

impl Network {
    /// The subnets of the first `zones` zones (at most [`MAX_ZONES`]), zone by zone.
    ///
    /// The first quarter of the range is public, the second is for data, the second half for servers; each is cut
    /// into eight, by zone number. So a subnet's range depends on its tier and zone alone.
    pub fn subnets(&self, zones: usize) -> Vec<Subnet> {
        (1..=zones.min(MAX_ZONES))
            .flat_map(|zone| Tier::ALL.map(|tier| Subnet { tier, zone, cidr: self.cut(tier, zone) }))
            .collect()
    }

    /// Where the servers' subnets are: private, or public where there is no NAT.
    pub fn server_tier(&self) -> Tier {
        if self.nat == Nat::None { Tier::Public } else { Tier::App }
    }

    /// How many NAT gateways, given the number of zones.
    pub fn nat_gateways(&self, zones: usize) -> usize {
        match self.nat {
            Nat::PerZone => zones,
            Nat::Single => zones.min(1),
            Nat::None => 0,
        }
    }

    fn cut(&self, tier: Tier, zone: usize) -> Ipv4Net {
        // Public and data subnets are 1/32 of the range, servers' 1/16; counted in their own size from its start.
        let (bits, first) = match tier {
            Tier::Public => (5, 0),
            Tier::Data => (5, 8),
            Tier::App => (4, 8),
        };
        let prefix = (self.cidr.prefix_len() + bits).min(32);
        let index = u32::try_from(first + zone - 1).unwrap_or(u32::MAX);
        let start = u32::from(self.cidr.network()).wrapping_add(index << (32 - u32::from(prefix)));
        Ipv4Net::new_assert(start.into(), prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(start: u32, prefix: u8) -> Network {
        let cidr = Ipv4Net::new_assert(start.into(), prefix).trunc();
        Network { vpc: None, cidr, zones: ZoneSpec::Count(2), nat: Nat::Single }
    }

    proptest! {
        #[test]
        fn subnets_are_inside_disjoint_and_large_enough(start: u32, prefix in 16u8..=LONGEST_PREFIX, zones in 1..=MAX_ZONES) {
            let network = network(start, prefix);
            let subnets = network.subnets(zones);
            prop_assert_eq!(subnets.len(), zones * 3);
            for (i, a) in subnets.iter().enumerate() {
                prop_assert!(network.cidr.contains(&a.cidr), "{} outside {}", a.cidr, network.cidr);
                prop_assert_eq!(a.cidr, a.cidr.trunc());
                prop_assert!(a.cidr.prefix_len() <= 27);
                for b in &subnets[i + 1..] {
                    prop_assert!(!a.cidr.contains(&b.cidr) && !b.cidr.contains(&a.cidr), "{a:?} meets {b:?}");
                }
            }
        }

        #[test]
        fn adding_a_zone_moves_no_subnet(start: u32, prefix in 16u8..=LONGEST_PREFIX, zones in 1..MAX_ZONES) {
            let network = network(start, prefix);
            let more = network.subnets(zones + 1);
            for subnet in network.subnets(zones) {
                prop_assert!(more.contains(&subnet));
            }
        }
    }

    #[test]
    fn the_cut_of_a_usual_range() {
        let cut: Vec<String> = network(0x0a00_0000, 16)
            .subnets(2)
            .iter()
            .map(|subnet| format!("{} {}", subnet.address(), subnet.cidr))
            .collect();
        assert_eq!(
            cut,
            [
                "subnet/public-1 10.0.0.0/21",
                "subnet/app-1 10.0.128.0/20",
                "subnet/data-1 10.0.64.0/21",
                "subnet/public-2 10.0.8.0/21",
                "subnet/app-2 10.0.144.0/20",
                "subnet/data-2 10.0.72.0/21",
            ]
        );
    }
}
