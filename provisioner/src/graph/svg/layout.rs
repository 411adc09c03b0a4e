//! Where everything goes.

use std::collections::BTreeMap;

use crate::graph::topology::{PLAYERS, Topology};

use super::network::{Network, network};
use super::pen::Area;
use super::text::width;

pub const MARGIN: i32 = 24;
/// Size of a card outside the VPC.
pub const CARD: (i32, i32) = (260, 60);
/// Between the VPC and the region's services, where arrows go.
const LANES: i32 = 150;
const HEADER: i32 = 76;
const LEGEND: i32 = 56;
const NO_LEGEND: i32 = 24;

/// Every place of the picture.
pub struct Placed {
    pub width: i32,
    pub height: i32,
    /// Cards, bands and members by id.
    pub cards: BTreeMap<String, Area>,
    /// Around the edge services.
    pub edge: Option<Area>,
    pub region: Area,
    pub network: Option<Network>,
    /// Where the legend begins.
    pub legend: i32,
    /// The corridors right of the VPC: through its endpoints, and past them.
    pub lanes: (i32, i32),
}

impl Placed {
    /// The place of a card.
    pub fn at(&self, id: &str) -> Option<Area> {
        self.cards.get(id).copied()
    }
}

/// Lays the picture out.
pub fn layout(topology: &Topology) -> Placed {
    let mut cards = BTreeMap::new();
    let has = |id: &str| topology.has(id);
    let players_height = if topology.has_players { 40 + 38 } else { 0 };
    let edge_height = if topology.global.is_empty() { 0 } else { 26 + CARD.1 + 14 + 34 };
    let region_y = HEADER + players_height + edge_height;
    let inner_x = MARGIN + 20;
    let top = region_y + 50;
    let network = topology.vpc.as_ref().map(|vpc| network(vpc, inner_x, top, &mut cards));

    let vpc_right = network.as_ref().map(|network| network.area.right());
    let beside = if has("dns") && has("cdn") { inner_x + CARD.0 + 40 } else { inner_x };
    let services_x = vpc_right.map_or(beside, |right| right + LANES);
    let door = network.as_ref().and_then(|network| network.door);
    let services_bottom = services(topology, services_x, top, door, &mut cards);

    let entry_x = network.as_ref().map_or(inner_x + CARD.0 / 2, |network| network.entry_x);
    let edge = edge(topology, entry_x, services_x, HEADER + players_height, &mut cards);
    if topology.has_players {
        let (first, last) =
            (if has("load-balancer") { entry_x } else { services_x + CARD.0 / 2 }, services_x + CARD.0 / 2);
        let middle = if has("cdn") { (first + last) / 2 } else { first };
        cards.insert(PLAYERS.to_owned(), Area::new(middle - 80, HEADER, 160, 40));
    }

    let bottom = services_bottom.max(network.as_ref().map_or(0, |network| network.area.bottom())).max(top + 20);
    let mut right = if topology.regional.is_empty() { vpc_right.unwrap_or(inner_x) } else { services_x + CARD.0 };
    let heading = topology.plan.as_ref().map_or(0, |plan| width(plan, 13, false));
    right = right.max(heading).max(if topology.plan.is_some() { 820 } else { 480 });
    let region = Area::new(MARGIN, region_y, right + 20 - MARGIN, bottom + 22 - region_y);
    let x = vpc_right.unwrap_or_default();
    Placed {
        width: region.right() + MARGIN,
        height: region.bottom() + if topology.plan.is_none() && topology.edges.is_empty() { NO_LEGEND } else { LEGEND },
        cards,
        edge,
        region,
        network,
        legend: region.bottom() + 30,
        lanes: (x + 116, x + 92),
    }
}

/// The column of the region's services. Those that the servers reach through the VPC's endpoints end above its `door`
/// where there is room, the others begin below it: so no arrows cross. Returns where it ends.
fn services(topology: &Topology, x: i32, top: i32, door: Option<i32>, cards: &mut BTreeMap<String, Area>) -> i32 {
    let mut y = top;
    let mut is_below = false;
    for card in &topology.regional {
        let through_door = ["assets", "stack", "log"].contains(&card.id.as_str());
        if !through_door && !is_below {
            is_below = true;
            y = y.max(door.map_or(y, |door| door + 12));
        }
        cards.insert(card.id.clone(), Area::new(x, y, CARD.0, CARD.1));
        y += CARD.1 + 20;
    }
    y - 20
}

/// The services at the edge: names above the way into the VPC, the CDN above the assets.
fn edge(
    topology: &Topology,
    entry_x: i32,
    services_x: i32,
    y: i32,
    cards: &mut BTreeMap<String, Area>,
) -> Option<Area> {
    let y = y + 26;
    let mut placed: Vec<Area> = Vec::new();
    for card in &topology.global {
        let x = if card.id == "cdn" { services_x } else { (entry_x - CARD.0 / 2).max(MARGIN + 20) };
        let area = Area::new(x, y, CARD.0, CARD.1);
        cards.insert(card.id.clone(), area);
        placed.push(area);
    }
    let left = placed.iter().map(|area| area.x).min()? - 16;
    let right = placed.iter().map(|area| area.right()).max()? + 16;
    Some(Area::new(left, y - 26, right - left, CARD.1 + 40))
}
