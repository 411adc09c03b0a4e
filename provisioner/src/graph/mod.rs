//! A stack as a picture: its topology and, where it is planned, what changes of it. As SVG by a layout of its own, as
//! DOT and as mermaid.

mod cards;
mod dot;
mod homes;
mod mermaid;
mod nesting;
mod services;
mod subject;
mod svg;
mod topology;
mod vpc;

#[cfg(test)]
mod tests;

pub use subject::Subject;
pub use topology::Topology;

/// What the picture is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A picture that stands by itself.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

impl Format {
    /// Its name, as on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
        }
    }
}

/// Draws the subject.
pub fn draw(subject: &Subject, format: Format) -> String {
    let topology = Topology::of(subject);
    match format {
        Format::Svg => svg::write(&topology),
        Format::Dot => dot::write(&topology),
        Format::Mermaid => mermaid::write(&topology),
    }
}
