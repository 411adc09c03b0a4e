//! What everything lies in, and the cards themselves.

use crate::blueprint::Tier;
use crate::graph::cards::sign;
use crate::graph::topology::{Band, Card, Family, PLAYERS, Subnet, Topology, Vpc};

use super::layout::{MARGIN, Placed};
use super::network::Network;
use super::pen::{Area, Font, INK, LINE, MUTED, Pen};

const DASHED: &str = r#" stroke-dasharray="7 5""#;

/// Heading, region, VPC, zones and subnets.
pub fn draw(pen: &mut Pen, topology: &Topology, placed: &Placed) {
    pen.text((MARGIN, 36), Font(20, INK, true), &topology.stack, placed.width - 2 * MARGIN);
    let line = topology.plan.clone().unwrap_or_else(|| format!("in {}", topology.region));
    pen.text((MARGIN, 57), Font(13, MUTED, false), &line, placed.width - 2 * MARGIN);
    if let Some(edge) = placed.edge {
        pen.area(edge, 10, "#f8fafc", LINE, DASHED);
        pen.text((edge.x + 14, edge.y + 18), Font(12, MUTED, true), "Edge", edge.w);
    }
    let region = placed.region;
    pen.area(region, 12, "#f8fafc", "#0e7490", r#" stroke-width="1.5""#);
    pen.text(
        (region.x + 20, region.y + 25),
        Font(13, "#155e75", true),
        &format!("Region {}", topology.region),
        region.w / 3,
    );
    if let (Some(vpc), Some(network)) = (&topology.vpc, &placed.network) {
        draw_vpc(pen, vpc, network);
    }
}

fn draw_vpc(pen: &mut Pen, vpc: &Vpc, network: &Network) {
    let area = network.area;
    pen.begin("vpc", &vpc.card);
    // What is in it has colours of its own.
    let (_, stroke, width) = Pen::look(&vpc.card, "", "#6d28d9");
    pen.area(area, 10, "#ffffff", stroke, width);
    pen.text((area.x + 14, area.y + 27), Font(13, "#5b21b6", true), &vpc.card.title, network.entry_x - 100 - area.x);
    pen.badge(&vpc.card, area);
    pen.end();
    for ((zone, at), subnets) in vpc.zones.iter().zip(&network.zones).zip(&network.subnets) {
        pen.area(*at, 8, "#f8fafc", LINE, DASHED);
        pen.text((at.x + 12, at.y + 20), Font(12, MUTED, true), &zone.name, at.w - 20);
        for (subnet, at) in zone.subnets.iter().zip(subnets) {
            draw_subnet(pen, subnet, *at);
        }
    }
}

fn draw_subnet(pen: &mut Pen, subnet: &Subnet, at: Area) {
    let colours = match subnet.tier {
        _ if pen.has_plan => ("#ffffff", "#cbd5e1"),
        Tier::Public => ("#f0fdf4", "#86b89a"),
        Tier::App => ("#fff7ed", "#d9b48a"),
        Tier::Data => ("#eff6ff", "#93b4e0"),
    };
    pen.begin("subnet", &subnet.card);
    let (fill, stroke, width) = Pen::look(&subnet.card, colours.0, colours.1);
    pen.area(at, 6, fill, stroke, width);
    let sign = subnet.card.mark.map_or(String::new(), |action| format!("{} ", sign(action)));
    pen.text((at.x + 10, at.y + 17), Font(11, MUTED, false), &format!("{sign}{}", subnet.card.title), at.w - 16);
    pen.end();
}

/// Every card.
pub fn draw_cards(pen: &mut Pen, topology: &Topology, placed: &Placed) {
    let mut draw = |card: &Card| {
        if let Some(at) = placed.at(&card.id) {
            pen.card(card, at);
        }
    };
    topology.global.iter().chain(&topology.regional).for_each(&mut draw);
    if let Some(vpc) = &topology.vpc {
        vpc.gateway.iter().chain(&vpc.endpoints).for_each(&mut draw);
        vpc.zones.iter().flat_map(|zone| &zone.subnets).filter_map(|subnet| subnet.nat.as_ref()).for_each(&mut draw);
    }
    if let Some(at) = placed.at(PLAYERS) {
        let title = "game clients".to_owned();
        let players = Card {
            id: PLAYERS.to_owned(),
            tile: "APP",
            family: Family::Compute,
            title,
            lines: Vec::new(),
            mark: None,
            changes: Vec::new(),
        };
        pen.card(&players, at);
    }
}

/// A band with its heading; its members are drawn after the arrows between them.
pub fn draw_band(pen: &mut Pen, band: &Band, at: Area) {
    pen.begin("band", &band.card);
    let (fill, stroke, width) = Pen::look(&band.card, "#ffffff", LINE);
    let dashes = if band.members.is_empty() { "" } else { r#" stroke-dasharray="4 3""# };
    pen.area(at, 8, fill, stroke, &format!("{width}{dashes}"));
    let card = Card { lines: vec![band.card.details()], ..band.card.clone() };
    pen.heading(&card, Area { h: 50, ..at });
    pen.badge(&band.card, at);
    pen.end();
}
