//! The picture as SVG, by a layout made for this topology: edge services above, the region with its VPC and a column a
//! zone below, the region's services beside the VPC.

mod arrows;
mod frame;
pub(super) mod layout;
mod legend;
mod network;
pub(super) mod pen;
mod text;

use super::topology::Topology;
use layout::layout;
use pen::Pen;

/// The whole document: it needs no other file, and any sans-serif font.
pub fn write(topology: &Topology) -> String {
    let placed = layout(topology);
    let mut pen = Pen::new(topology.plan.is_some());
    frame::draw(&mut pen, topology, &placed);
    arrows::draw(&mut pen, topology, &placed);
    frame::draw_cards(&mut pen, topology, &placed);
    legend::draw(&mut pen, topology, &placed);
    pen.document(placed.width, placed.height, &title(topology), &description(topology))
}

fn title(topology: &Topology) -> String {
    format!("{} in {}", topology.stack, topology.region)
}

/// The picture in words, for those who do not see it.
fn description(topology: &Topology) -> String {
    let mut sentences: Vec<String> = topology.plan.iter().cloned().collect();
    let name = |id: &str| {
        let card = topology.cards().into_iter().find(|card| card.id == id);
        card.map_or("players".to_owned(), |card| card.title.clone())
    };
    sentences.extend(
        topology
            .cards()
            .into_iter()
            .filter(|card| !card.changes.is_empty())
            .map(|card| format!("{}: {}", card.title, card.changes.join("; "))),
    );
    sentences.extend(topology.edges.iter().map(|edge| format!("{} → {}", name(&edge.from), name(&edge.to))));
    sentences.join(". ")
}
