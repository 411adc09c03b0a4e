//! The picture as boxes in boxes, for the formats that do their own layout.

use super::topology::{Band, Card, Edge, Family, Flow, PLAYERS, Topology, Vpc, Zone};

/// A box of boxes, or a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A box with a label; the card, where it stands for something that changes.
    Group { id: String, label: String, card: Option<Card>, parts: Vec<Part> },
    /// A card.
    Node(Card),
}

/// The whole picture.
pub fn nested(topology: &Topology) -> Vec<Part> {
    let mut parts = Vec::new();
    if topology.has_players {
        let title = "game clients".to_owned();
        let family = Family::Compute;
        let (lines, changes) = (Vec::new(), Vec::new());
        parts.push(Part::Node(Card { id: PLAYERS.to_owned(), tile: "", family, title, lines, mark: None, changes }));
    }
    if !topology.global.is_empty() {
        let cards = topology.global.iter().cloned().map(Part::Node).collect();
        parts.push(Part::Group { id: "edge".into(), label: "Edge".into(), card: None, parts: cards });
    }
    let mut inside: Vec<Part> = topology.vpc.iter().map(in_vpc).collect();
    inside.extend(topology.regional.iter().cloned().map(Part::Node));
    let label = format!("Region {}", topology.region);
    parts.push(Part::Group { id: "region".into(), label, card: None, parts: inside });
    parts
}

fn in_vpc(vpc: &Vpc) -> Part {
    let mut parts: Vec<Part> = vpc.gateway.iter().chain(&vpc.endpoints).cloned().map(Part::Node).collect();
    parts.extend(vpc.bands.iter().filter(|band| band.is_hub).map(|band| Part::Node(band.card.clone())));
    parts.extend(vpc.zones.iter().enumerate().map(|(number, zone)| in_zone(vpc, number, zone)));
    Part::Group { id: "vpc".into(), label: vpc.card.title.clone(), card: Some(vpc.card.clone()), parts }
}

fn in_zone(vpc: &Vpc, number: usize, zone: &Zone) -> Part {
    let subnet = |subnet: &super::topology::Subnet| {
        let mut parts: Vec<Part> = subnet.nat.iter().cloned().map(Part::Node).collect();
        for band in vpc.bands.iter().filter(|band| band.tier == subnet.tier) {
            let here = band.members.iter().enumerate().filter(|(_, (zone, _))| *zone == number);
            parts.extend(here.map(|(place, (_, member))| Part::Node(member_of(band, place, member))));
        }
        let (id, label, card) = (subnet.card.id.clone(), subnet.card.title.clone(), Some(subnet.card.clone()));
        Part::Group { id, label, card, parts }
    };
    let parts = zone.subnets.iter().map(subnet).collect();
    Part::Group { id: format!("zone/{}", number + 1), label: zone.name.clone(), card: None, parts }
}

/// A member says whose it is, because no band does.
fn member_of(band: &Band, place: usize, member: &Card) -> Card {
    if band.is_hub {
        return member.clone();
    }
    let card = Card { title: format!("{}: {}", band.card.title, member.title), ..member.clone() };
    if place == 0 { card.line(band.card.details()) } else { card }
}

/// The arrows: to a band's first member where no card stands for the band, and from hubs to their members.
pub fn edges(topology: &Topology) -> Vec<Edge> {
    let of_member = |id: &str| match topology.band(id) {
        Some(band) if !band.is_hub => band.members.first().map_or(id, |(_, member)| member.id.as_str()).to_owned(),
        _ => id.to_owned(),
    };
    let mut edges: Vec<Edge> = topology
        .edges
        .iter()
        .map(|edge| Edge { from: of_member(&edge.from), to: of_member(&edge.to), ..edge.clone() })
        .collect();
    for band in topology.vpc.iter().flat_map(|vpc| &vpc.bands).filter(|band| band.is_hub) {
        edges.extend(band.members.iter().map(|(_, member)| Edge {
            from: band.card.id.clone(),
            to: member.id.clone(),
            label: String::new(),
            flow: Flow::Request,
        }));
    }
    edges
}
