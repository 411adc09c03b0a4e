//! The inside of the VPC: a column a zone, a row a tier of subnets, and bands across.

use std::collections::BTreeMap;

use crate::blueprint::Tier;
use crate::graph::topology::{Band, Vpc};

use super::pen::Area;

/// Left of the first zone, where the arrows to the data go.
const LEFT: i32 = 54;
const ZONE_GAP: i32 = 30;
const HEAD: i32 = 46;
const ROW_GAP: i32 = 20;
const SUBNET_HEAD: i32 = 24;
const BAND_HEAD: i32 = 50;
const MEMBER: i32 = 34;
const MEMBER_GAP: i32 = 16;
const NAT: i32 = 44;

/// The VPC with its zones and subnets.
pub struct Network {
    pub area: Area,
    pub zones: Vec<Area>,
    /// By zone, then as in the topology.
    pub subnets: Vec<Vec<Area>>,
    /// Where arrows come in from above: between two zones.
    pub entry_x: i32,
    /// The corridor left of the zones.
    pub data_x: i32,
    /// The height of the endpoints.
    pub door: Option<i32>,
}

/// Lays the network out at (`x`, `y`), and its cards.
pub fn network(vpc: &Vpc, x: i32, y: i32, cards: &mut BTreeMap<String, Area>) -> Network {
    let count = i32::try_from(vpc.zones.len()).unwrap_or(1).max(1);
    // The bands' headings need some width, however few zones there are.
    let zone_width = if count == 1 { 420 } else { 244 };
    let has_servers = vpc.bands.iter().any(|band| band.card.id == "servers");
    let left = if vpc.bands.iter().any(|band| band.tier == Tier::Data) && has_servers { LEFT } else { 24 };
    let right = if vpc.endpoints.is_some() { 90 } else { 24 };
    let zone_x = |zone: i32| x + left + zone * (zone_width + ZONE_GAP);
    let across = Area::new(zone_x(0) + 20, 0, zone_x(count - 1) + zone_width - 20 - zone_x(0) - 20, 0);
    let entry_x = if count == 1 { zone_x(0) + zone_width - 40 } else { zone_x(count / 2) - ZONE_GAP / 2 };

    let mut subnets: Vec<Vec<Area>> = vec![Vec::new(); vpc.zones.len()];
    let zones_y = y + HEAD;
    let mut row_y = zones_y + 32;
    for tier in Tier::ALL {
        if !vpc.zones.iter().any(|zone| zone.subnets.iter().any(|subnet| subnet.tier == tier)) {
            continue;
        }
        let mut inner_y = row_y + SUBNET_HEAD;
        let nats: Vec<(i32, &str)> = (0..).zip(&vpc.zones).filter_map(|(zone, z)| Some((zone, z.nat(tier)?))).collect();
        for band in vpc.bands.iter().filter(|band| band.tier == tier) {
            inner_y = place_band(band, Area { y: inner_y + 8, ..across }, zone_width, &zone_x, cards) + 6;
            if band.members.is_empty() && !nats.is_empty() {
                inner_y = place_nats(&nats, inner_y + 8, zone_width, count, &zone_x, cards);
            }
        }
        if !nats.is_empty() && !vpc.bands.iter().any(|band| band.tier == tier) {
            inner_y = place_nats(&nats, inner_y + 4, zone_width, count, &zone_x, cards);
        }
        let height = (inner_y + 8 - row_y).max(34);
        for (zone, areas) in (0..).zip(subnets.iter_mut()) {
            areas.push(Area::new(zone_x(zone) + 8, row_y, zone_width - 16, height));
        }
        row_y += height + ROW_GAP;
    }
    let zones_bottom = row_y - ROW_GAP + 10;
    let zones = (0..count).map(|zone| Area::new(zone_x(zone), zones_y, zone_width, zones_bottom - zones_y)).collect();
    let area = Area::new(x, y, zone_x(count - 1) + zone_width + right - x, zones_bottom + 16 - y);
    let door = cards.get("servers").map(|servers| servers.y + 25);
    if vpc.gateway.is_some() {
        cards.insert("internet-gateway".to_owned(), Area::new(entry_x - 86, y - 16, 172, 32));
    }
    if vpc.endpoints.is_some() {
        let middle = door.unwrap_or(area.cy());
        cards.insert("vpc-endpoints".to_owned(), Area::new(area.right() - 76, middle - 22, 152, 44));
    }
    Network { area, zones, subnets, entry_x, data_x: x + 27, door }
}

impl crate::graph::topology::Zone {
    /// The id of the NAT gateway in the subnet of `tier`.
    fn nat(&self, tier: Tier) -> Option<&str> {
        let subnet = self.subnets.iter().find(|subnet| subnet.tier == tier)?;
        subnet.nat.as_ref().map(|nat| nat.id.as_str())
    }
}

/// Returns where it ends.
fn place_nats(
    nats: &[(i32, &str)],
    y: i32,
    zone_width: i32,
    zones: i32,
    zone_x: &impl Fn(i32) -> i32,
    cards: &mut BTreeMap<String, Area>,
) -> i32 {
    // With one zone only, arrows pass on its right.
    let spare = if zones == 1 { 60 } else { 0 };
    for (zone, id) in nats {
        cards.insert((*id).to_owned(), Area::new(zone_x(*zone) + 28, y, zone_width - 56 - spare, NAT));
    }
    y + NAT
}

/// Returns where it ends.
fn place_band(
    band: &Band,
    at: Area,
    zone_width: i32,
    zone_x: &impl Fn(i32) -> i32,
    cards: &mut BTreeMap<String, Area>,
) -> i32 {
    let mut taken: BTreeMap<usize, i32> = BTreeMap::new();
    for (zone, member) in &band.members {
        let row = taken.entry(*zone).or_insert(0);
        let y = at.y + BAND_HEAD + 12 + *row * (MEMBER + MEMBER_GAP);
        let x = zone_x(i32::try_from(*zone).unwrap_or_default());
        cards.insert(member.id.clone(), Area::new(x + 42, y, zone_width - 80, MEMBER));
        *row += 1;
    }
    let rows = taken.into_values().max().unwrap_or_default();
    let h = if rows == 0 { BAND_HEAD + 8 } else { BAND_HEAD + 12 + rows * (MEMBER + MEMBER_GAP) - 4 };
    cards.insert(band.card.id.clone(), Area { h, ..at });
    at.y + h
}
