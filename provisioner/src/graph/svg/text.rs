//! Text that fits: no font is known when the picture is made, so widths are those of Helvetica, and somewhat generous.

/// For text and attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to say these.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Thousandths of the font's size.
fn advance(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 290,
        'f' | 't' | 'r' | '(' | ')' | ' ' | '/' | '[' | ']' | '-' => 340,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 900,
        'A'..='Z' | '&' | '×' | '~' | '+' | '=' | '<' | '>' => 700,
        c if (c as u32) < 0x2000 => 570,
        _ => 1000,
    }
}

/// The width in pixels of `text` at a font size.
pub fn width(text: &str, size: i32, is_bold: bool) -> i32 {
    let thousandths: i32 = text.chars().map(advance).sum();
    let thousandths = if is_bold { thousandths * 107 / 100 } else { thousandths };
    (thousandths * size + 999) / 1000
}

/// As much of `text` as `room` pixels hold; what is cut ends in an ellipsis.
pub fn fit(text: &str, size: i32, is_bold: bool, room: i32) -> String {
    if width(text, size, is_bold) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size, is_bold) + size > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end_matches([' ', ',', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(fit("short", 11, false, 200), "short");
        let long = "a-very-long-name.of-a-zone.game.example.com".repeat(4);
        let cut = fit(&long, 11, false, 200);
        assert!(cut.ends_with('…') && width(&cut, 11, false) <= 200, "{cut}");
        assert!(width(&cut, 11, false) > 150, "{cut} could be longer");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&'\u{7}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
    }
}
