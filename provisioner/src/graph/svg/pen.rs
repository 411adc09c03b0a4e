//! Writes shapes. Colours are attributes, not a style sheet: not everything that takes SVG reads one.

use std::fmt::Write;

use crate::graph::cards::{colour, sign, tint, verb};
use crate::graph::topology::{Card, Family, Flow};

use super::text::{escape, fit, width};

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

impl Area {
    pub const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w, h }
    }
    pub fn right(self) -> i32 {
        self.x + self.w
    }
    pub fn bottom(self) -> i32 {
        self.y + self.h
    }
    /// The middle of its width.
    pub fn cx(self) -> i32 {
        self.x + self.w / 2
    }
    /// The middle of its height.
    pub fn cy(self) -> i32 {
        self.y + self.h / 2
    }
}

pub const INK: &str = "#0f172a";
pub const MUTED: &str = "#475569";
pub const LINE: &str = "#64748b";
const FONTS: &str = "'Inter','Segoe UI',Roboto,'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif";

fn of_family(family: Family) -> &'static str {
    match family {
        Family::Compute => "#b45309",
        Family::Data => "#1d4ed8",
        Family::Storage => "#15803d",
        Family::Network => "#6d28d9",
        Family::Security => "#be123c",
        Family::Watch => "#be185d",
    }
}

/// Size, colour, and whether it is bold.
#[derive(Debug, Clone, Copy)]
pub struct Font(pub i32, pub &'static str, pub bool);

/// Where the shapes go.
pub struct Pen {
    /// Whether colours mean changes; then nothing else is coloured.
    pub has_plan: bool,
    body: String,
}

impl Pen {
    pub fn new(has_plan: bool) -> Self {
        Self { has_plan, body: String::new() }
    }

    fn add(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(shape);
        self.body.push('\n');
    }

    /// A rectangle; `more` are further attributes.
    pub fn area(&mut self, a: Area, radius: i32, fill: &str, stroke: &str, more: &str) {
        let Area { x, y, w, h } = a;
        self.add(format_args!(
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{radius}" fill="{fill}" stroke="{stroke}"{more}/>"#
        ));
    }

    /// A line of text that begins at a point, cut at `room` pixels.
    pub fn text(&mut self, (x, y): (i32, i32), font: Font, words: &str, room: i32) {
        let Font(size, fill, is_bold) = font;
        let weight = if is_bold { r#" font-weight="600""# } else { "" };
        let shown = escape(&fit(words, size, is_bold, room));
        self.add(format_args!(r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}"{weight}>{shown}</text>"#));
    }

    /// Small white letters in the middle of `a`.
    fn letters(&mut self, a: Area, size: i32, words: &str) {
        let (x, y) = (a.cx(), a.cy() + size * 36 / 100);
        let words = escape(words);
        self.add(format_args!(
            r##"<text x="{x}" y="{y}" font-size="{size}" fill="#ffffff" font-weight="700" text-anchor="middle">{words}</text>"##
        ));
    }

    /// A label of an arrow, readable over what is below it.
    pub fn label(&mut self, x: i32, y: i32, words: &str) {
        let words = escape(words);
        self.add(format_args!(
            r##"<text x="{x}" y="{y}" font-size="11" fill="{MUTED}" stroke="#ffffff" stroke-width="4" stroke-linejoin="round" paint-order="stroke">{words}</text>"##
        ));
    }

    /// A line through points, which ends in an arrow head.
    pub fn arrow(&mut self, points: &[(i32, i32)], flow: Flow) {
        self.line(points, flow);
        let [.., (ax, ay), (bx, by)] = points else { return };
        let (dx, dy) = ((bx - ax).signum(), (by - ay).signum());
        // The head's two other corners: back along the line, and to both sides of it.
        let (lx, ly) = (bx - 8 * dx - 4 * dy, by - 8 * dy - 4 * dx);
        let (rx, ry) = (bx - 8 * dx + 4 * dy, by - 8 * dy + 4 * dx);
        let stroke = colour_of(flow);
        self.add(format_args!(r#"<path d="M{bx} {by}L{lx} {ly}L{rx} {ry}Z" fill="{stroke}"/>"#));
    }

    /// A line through points.
    pub fn line(&mut self, points: &[(i32, i32)], flow: Flow) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x} {y}")).collect();
        let (path, stroke) = (path.join("L"), colour_of(flow));
        let dashes = match flow {
            Flow::Request => "",
            Flow::Replication => r#" stroke-dasharray="6 4""#,
            Flow::Out => r#" stroke-dasharray="2 4""#,
        };
        self.add(format_args!(r#"<path d="M{path}" fill="none" stroke="{stroke}" stroke-width="1.6"{dashes}/>"#));
    }

    /// Begins what belongs to a card: its class says what happens to it, its tooltip all about it.
    pub fn begin(&mut self, class: &str, card: &Card) {
        let happens = card.mark.map_or(String::new(), |action| format!(" {}", verb(action)));
        let mut words = vec![card.title.clone()];
        words.extend(card.lines.iter().chain(&card.changes).cloned());
        let (id, words) = (escape(&card.id), escape(&words.join("; ")));
        self.add(format_args!(r#"<g class="{class}{happens}" data-node="{id}"><title>{words}</title>"#));
    }

    pub fn end(&mut self) {
        self.add(format_args!("</g>"));
    }

    /// Fill, stroke and its width for a card.
    pub fn look(card: &Card, fill: &'static str, stroke: &'static str) -> (&'static str, &'static str, &'static str) {
        match card.mark {
            Some(action) => (tint(action), colour(action), r#" stroke-width="2""#),
            None => (fill, stroke, r#" stroke-width="1""#),
        }
    }

    /// A card with its tile, title and lines.
    pub fn card(&mut self, card: &Card, a: Area) {
        self.begin("card", card);
        let (fill, stroke, more) = Self::look(card, "#ffffff", "#94a3b8");
        self.area(a, 8, fill, stroke, more);
        self.heading(card, a);
        self.badge(card, a);
        self.end();
    }

    /// Tile, title and lines at the top of `a`, as far as its height allows.
    pub fn heading(&mut self, card: &Card, a: Area) {
        let tile = if a.h >= 48 {
            Area::new(a.x + 10, a.y + 10, 36, 30)
        } else {
            Area::new(a.x + 8, a.y + (a.h - 22) / 2, 32, 22)
        };
        let family = if self.has_plan { MUTED } else { of_family(card.family) };
        self.area(tile, 5, family, "none", "");
        let size = if tile.w == 36 && card.tile.len() < 4 { 12 } else { 10 };
        self.letters(tile, size, card.tile);
        let x = tile.right() + 9;
        let room = a.right() - x - 8;
        let lines: Vec<&String> = card.lines.iter().take(if a.h >= 58 { 2 } else { 1 }).collect();
        let first = if lines.is_empty() || a.h < 40 { tile.cy() + 5 } else { tile.y + 11 };
        self.text((x, first), Font(13, INK, true), &card.title, room);
        if a.h < 40 {
            let used = width(&card.title, 13, true) + 8;
            let Some(line) = lines.first().filter(|_| used + 24 < room) else { return };
            return self.text((x + used, first), Font(11, MUTED, false), line, room - used);
        }
        for (line, y) in lines.iter().zip([first + 16, first + 31]) {
            self.text((x, y), Font(11, MUTED, false), line, room);
        }
    }

    /// What happens to it, in words and not by colour alone, over the upper edge.
    pub fn badge(&mut self, card: &Card, a: Area) {
        let Some(action) = card.mark else { return };
        let words = format!("{} {}", sign(action), verb(action));
        let w = width(&words, 11, true) + 14;
        let pill = Area::new(a.right() - w - 10, a.y - 9, w, 18);
        self.area(pill, 9, colour(action), "#ffffff", "");
        self.letters(pill, 11, &words);
    }

    /// The whole document.
    pub fn document(&self, w: i32, h: i32, title: &str, description: &str) -> String {
        let (title, description, body) = (escape(title), escape(description), &self.body);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-labelledby="title desc" font-family="{FONTS}">
<title id="title">{title}</title>
<desc id="desc">{description}</desc>
<rect width="{w}" height="{h}" fill="#ffffff"/>
{body}</svg>
"##
        )
    }
}

fn colour_of(flow: Flow) -> &'static str {
    match flow {
        Flow::Request => "#334155",
        Flow::Replication => "#1e40af",
        Flow::Out => LINE,
    }
}
