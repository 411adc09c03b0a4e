//! The ways of the arrows: straight down into the VPC, along its left side to the data, along its right side to the
//! region's services.

use crate::graph::topology::{Band, Edge, Flow, PLAYERS, Topology};

use super::frame::draw_band;
use super::layout::Placed;
use super::pen::{Area, Pen};

/// Every arrow, the bands that they lead to, and the bands' members.
pub fn draw(pen: &mut Pen, topology: &Topology, placed: &Placed) {
    let bands = || topology.vpc.iter().flat_map(|vpc| &vpc.bands);
    for band in bands() {
        if let Some(at) = placed.at(&band.card.id) {
            draw_band(pen, band, at);
        }
    }
    for edge in &topology.edges {
        if let (Some(from), Some(to)) = (placed.at(&edge.from), placed.at(&edge.to)) {
            draw_edge(pen, placed, edge, from, to);
        }
    }
    for band in bands() {
        replications(pen, placed, band);
        for (_, member) in &band.members {
            if let Some(at) = placed.at(&member.id) {
                pen.card(member, at);
            }
        }
    }
}

fn draw_edge(pen: &mut Pen, placed: &Placed, edge: &Edge, from: Area, to: Area) {
    let entry_x = placed.network.as_ref().map(|network| network.entry_x);
    match (edge.from.as_str(), edge.to.as_str()) {
        (PLAYERS, "load-balancer") => from_players(pen, from, entry_x.unwrap_or(to.cx()), to.y, &edge.label),
        (PLAYERS, _) => from_players(pen, from, to.cx(), to.y, &edge.label),
        ("dns", "load-balancer") | ("load-balancer", "servers") => {
            let x = entry_x.unwrap_or(to.cx());
            pen.arrow(&[(x, from.bottom()), (x, to.y)], edge.flow);
            if !edge.label.is_empty() {
                pen.label(x + 8, from.bottom() + 32, &edge.label);
            }
        }
        ("cdn", _) | ("alarms", _) => pen.arrow(&[(to.cx(), from.bottom()), (to.cx(), to.y)], edge.flow),
        ("servers", "database" | "cache") => {
            let x = placed.network.as_ref().map_or(from.x - 20, |network| network.data_x);
            let (y, end) = (from.y + 25, to.y + 25);
            pen.arrow(&[(from.x, y), (x, y), (x, end), (to.x, end)], edge.flow);
        }
        ("servers", "stack" | "log") => {
            let y = from.y + 25;
            pen.arrow(&[(from.right(), y), (placed.lanes.0, y), (placed.lanes.0, to.cy()), (to.x, to.cy())], edge.flow);
        }
        ("servers", _) if edge.flow == Flow::Request => {
            let y = from.bottom() - 14;
            pen.arrow(&[(from.right(), y), (placed.lanes.1, y), (placed.lanes.1, to.cy()), (to.x, to.cy())], edge.flow);
        }
        ("servers", _) if edge.flow == Flow::Out => pen.arrow(&[(to.cx(), from.y), (to.cx(), to.bottom())], edge.flow),
        // Replications have ways of their own, and a NAT gateway's way out is plain.
        _ => {}
    }
}

/// Sideways out of the players, then down to `x`.
fn from_players(pen: &mut Pen, players: Area, x: i32, y: i32, label: &str) {
    let side = if x < players.cx() { players.x } else { players.right() };
    if (players.x..=players.right()).contains(&x) {
        pen.arrow(&[(x, players.bottom()), (x, y)], Flow::Request);
        return pen.label(x + 8, players.bottom() + 20, label);
    }
    pen.arrow(&[(side, players.cy()), (x, players.cy()), (x, y)], Flow::Request);
    pen.label(x + 8, players.bottom() + 16, label);
}

/// From a band's first member to each other one: beside it straight, below it straight, else around what lies between.
fn replications(pen: &mut Pen, placed: &Placed, band: &Band) {
    let Some((_, first)) = band.members.first().filter(|_| !band.is_hub) else { return };
    let Some(from) = placed.at(&first.id) else { return };
    let mut ends: Vec<Area> = band.members.iter().skip(1).filter_map(|(_, member)| placed.at(&member.id)).collect();
    ends.sort_by_key(|area| (area.y, area.x));
    let next = ends.iter().filter(|to| to.y == from.y && to.x > from.x).map(|to| to.x).min();
    for to in ends {
        let points = if to.y == from.y && Some(to.x) == next {
            vec![(from.right(), from.cy()), (to.x, to.cy())]
        } else if to.y == from.y {
            vec![(from.cx(), from.y), (from.cx(), from.y - 12), (to.cx(), to.y - 12), (to.cx(), to.y)]
        } else if to.x == from.x {
            let x = from.x - 13;
            vec![(from.x, from.cy()), (x, from.cy()), (x, to.cy()), (to.x, to.cy())]
        } else {
            let x = from.right() + 16;
            vec![(x, from.cy()), (x, to.y - 12), (to.cx(), to.y - 12), (to.cx(), to.y)]
        };
        pen.arrow(&points, Flow::Replication);
    }
}
