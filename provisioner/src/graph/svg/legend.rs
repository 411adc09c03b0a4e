//! What lines and colours mean.

use crate::graph::cards::{ACTIONS, colour, sign, verb};
use crate::graph::topology::{Flow, Topology};

use super::layout::{MARGIN, Placed};
use super::pen::{Area, Font, MUTED, Pen};
use super::text::width;

/// A line below the region: the lines that are there, and the colours where a plan is drawn.
pub fn draw(pen: &mut Pen, topology: &Topology, placed: &Placed) {
    let y = placed.legend;
    let mut x = MARGIN;
    for (flow, words) in [
        (Flow::Request, "requests"),
        (Flow::Replication, "copies of the data"),
        (Flow::Out, "the way out to the internet"),
    ] {
        if topology.edges.iter().any(|edge| edge.flow == flow) {
            pen.arrow(&[(x, y), (x + 34, y)], flow);
            pen.text((x + 42, y + 4), Font(11, MUTED, false), words, 300);
            x += 42 + width(words, 11, false) + 22;
        }
    }
    if topology.plan.is_none() {
        return;
    }
    for action in ACTIONS {
        let words = format!("{} {}", sign(action), verb(action));
        let w = width(&words, 11, true) + 14;
        pen.area(Area::new(x, y - 9, w, 18), 9, colour(action), "none", "");
        pen.text((x + 7, y + 4), Font(11, "#ffffff", true), &words, w);
        x += w + 10;
    }
}
