//! A text that is shown in place, again and again.

use std::io::{self, IsTerminal, Write};

/// The lines that were drawn last, to be drawn over.
#[derive(Default)]
pub struct Screen {
    drawn: usize,
}

impl Screen {
    /// A screen where there is one to draw on.
    pub fn on_terminal() -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        (std::io::stdout().is_terminal() && !dumb).then(Self::default)
    }

    /// Draws `text` over what was drawn before, as much of it as fits.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let (width, height) = terminal_size::terminal_size().map_or((80, 24), |(w, h)| (w.0, h.0));
        let frame = frame(text, usize::from(width), usize::from(height));
        let mut out = anstream::stdout();
        if self.drawn > 0 {
            write!(out, "\x1b[{}A\r", self.drawn)?;
        }
        // Line by line, so that nothing flickers; then what is left of a longer one.
        for line in &frame {
            write!(out, "{line}\x1b[K\r\n")?;
        }
        write!(out, "\x1b[J")?;
        self.drawn = frame.len();
        out.flush()
    }
}

/// The lines that fit: one is left for the cursor.
fn frame(text: &str, width: usize, height: usize) -> Vec<String> {
    let most = height.saturating_sub(1).max(1);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return lines.iter().map(|line| cut(line, width)).collect();
    }
    let shown = most - 1;
    let more = format!("... {} lines more", lines.len() - shown);
    lines[..shown].iter().map(|line| cut(line, width)).chain([cut(&more, width)]).collect()
}

/// The first `width` characters; escape sequences take no room, and all of them are kept.
fn cut(line: &str, width: usize) -> String {
    let mut kept = String::new();
    let mut room = width;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            kept.push(c);
            for c in chars.by_ref() {
                kept.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else if room > 0 {
            kept.push(c);
            room -= 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_without_their_colours() {
        assert_eq!(cut("abcdef", 4), "abcd");
        assert_eq!(cut("\x1b[32mabcdef\x1b[0m", 4), "\x1b[32mabcd\x1b[0m");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        assert_eq!(frame("a\nb\nc", 80, 24), ["a", "b", "c"]);
        assert_eq!(frame("a\nb\nc\nd", 80, 4), ["a", "b", "... 2 lines more"]);
    }
}
