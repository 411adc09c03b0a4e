//! The picture of a drill: how long each operation took, and what was answered in each second, around the fault.

use std::fmt::Write;

use super::report::{Report, Series};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 640.0;
/// The panels' left and right edge.
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 36.0;
/// Top and bottom of the panel of latencies, and of the one of answers.
const LATENCY: (f64, f64) = (232.0, 440.0);
const ANSWERS: (f64, f64) = (490.0, 580.0);
/// More dots than this are one blot: of fast ones only some are drawn.
const MOST_DOTS: usize = 4000;

const INK: &str = "#0f172a";
const FAINT: &str = "#64748b";
const GRID: &str = "#e2e8f0";
const WRITES: &str = "#2563eb";
const READS: &str = "#d97706";
const FAILED: &str = "#dc2626";
const ANSWERED: &str = "#94a3b8";
const GOOD: &str = "#15803d";
const BAND: &str = "#fee2e2";

/// Draws it, as SVG that stands alone on any white page.
pub fn draw(report: &Report) -> String {
    let mut canvas = Canvas { svg: String::new(), seconds: report.seconds.max(1.0) };
    canvas.line_of_svg(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif\">"
    ));
    canvas.line_of_svg(format_args!("<title>{}</title>", escaped(&title(report))));
    canvas.rect(0.0, 0.0, WIDTH, HEIGHT, "#ffffff", "");
    canvas.head(report);
    canvas.tiles(report);
    canvas.bands(report);
    canvas.latencies(&report.series);
    canvas.answers(&report.series);
    canvas.moments(report);
    canvas.line_of_svg(format_args!("</svg>"));
    canvas.svg
}

fn title(report: &Report) -> String {
    let what = report.fault.name().replace('-', " ");
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
    format!("{} of {}", first.chain(letters).collect::<String>(), report.stack)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let apart = |(n, digit): (usize, char)| {
        let comma = (n > 0 && (digits.len() - n).is_multiple_of(3)).then_some(',');
        comma.into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(apart).collect()
}

/// Seconds as people write them.
fn seconds(value: f64) -> String {
    if value > 0.0 && value < 9.95 { format!("{value:.1} s") } else { format!("{value:.0} s") }
}

struct Canvas {
    svg: String,
    seconds: f64,
}

impl Canvas {
    fn line_of_svg(&mut self, line: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = writeln!(self.svg, "{line}");
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str, more: &str) {
        self.line_of_svg(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"{more}/>"
        ));
    }

    fn text(&mut self, x: f64, y: f64, size: f64, fill: &str, more: &str, text: &str) {
        let text = escaped(text);
        self.line_of_svg(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\"{more}>{text}</text>"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, more: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.line_of_svg(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{stroke}\"{more}/>"
        ));
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at / self.seconds).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn head(&mut self, report: &Report) {
        self.text(40.0, 48.0, 24.0, INK, " font-weight=\"700\"", &title(report));
        let mut what = report.deed.clone();
        if !report.outcome.is_empty() {
            what = format!("{what}: {}", report.outcome.replace("->", "→"));
        }
        self.text(40.0, 74.0, 14.0, FAINT, "", &what);
        let (when, rate) = (report.started_at.strftime("%Y-%m-%d %H:%M UTC"), report.rate);
        let who = format!(
            "{when}  ·  {}  ·  {rate} operations a second by {} test players",
            report.region,
            report.player_ids.len()
        );
        self.text(40.0, 94.0, 13.0, FAINT, "", &who);
    }

    fn tiles(&mut self, report: &Report) {
        let wrong = |count: u64| if count == 0 { GOOD } else { FAILED };
        let (audit, gone) = (&report.audit, |value: f64| if value > 0.0 { INK } else { GOOD });
        let away = report.over_at_seconds.zip(report.fault_at_seconds).map(|(over, fault)| over - fault);
        let acknowledged = report.purchases.acknowledged + report.scores.acknowledged;
        let given_up = report.purchases.given_up + report.scores.given_up + report.ranks.given_up;
        let (writes, reads) = (report.without_writes.seconds, report.without_reads.seconds);
        let tiles = [
            (grouped(acknowledged), "writes answered", INK),
            (audit.lost.to_string(), "lost", wrong(audit.lost)),
            (audit.doubled.to_string(), "doubled", wrong(audit.doubled)),
            (given_up.to_string(), "failed for players", wrong(given_up)),
            (seconds(writes), "without writes", gone(writes)),
            (seconds(reads), "without reads", gone(reads)),
            (away.map_or("—".to_owned(), seconds), "until AWS: over", INK),
        ];
        let width = (RIGHT - 40.0 + 10.0) / tiles.len() as f64;
        for (n, (value, label, ink)) in tiles.into_iter().enumerate() {
            let x = 40.0 + width * n as f64;
            self.rect(x, 112.0, width - 10.0, 66.0, "#f8fafc", &format!(" rx=\"8\" stroke=\"{GRID}\""));
            self.text(x + 14.0, 145.0, 24.0, ink, " font-weight=\"700\"", &value);
            self.text(x + 14.0, 166.0, 12.0, FAINT, "", label);
        }
    }

    /// Where nothing was written, behind everything else.
    fn bands(&mut self, report: &Report) {
        for &(from, to) in &report.without_writes.stretches {
            let (x1, x2) = (self.x(from), self.x(to));
            self.rect(x1, LATENCY.0, x2 - x1, ANSWERS.1 - LATENCY.0, BAND, "");
            if x2 - x1 > 70.0 {
                let middle = f64::midpoint(x1, x2);
                self.text(middle, LATENCY.1 - 10.0, 12.0, FAILED, " text-anchor=\"middle\"", "no writes");
            }
        }
    }

    fn latencies(&mut self, series: &Series) {
        let (top, bottom) = LATENCY;
        let slowest = series.operations.iter().map(|operation| operation.1).fold(1000.0, f64::max);
        let decades = slowest.log10().ceil();
        let y = |ms: f64| bottom - (ms.max(1.0).log10() / decades).clamp(0.0, 1.0) * (bottom - top);
        self.text(LEFT, top - 14.0, 13.0, INK, " font-weight=\"600\"", "Until it was answered");
        for decade in 0..=(decades as u32) {
            let ms = 10_f64.powi(i32::try_from(decade).unwrap_or(0));
            let label = if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.0} s", ms / 1000.0) };
            self.line((LEFT, y(ms)), (RIGHT, y(ms)), GRID, "");
            self.text(LEFT - 8.0, y(ms) + 4.0, 11.0, FAINT, " text-anchor=\"end\"", &label);
        }
        let legend = [(WRITES, "purchases and scores", 330.0), (READS, "ranks", 176.0), (FAILED, "given up", 112.0)];
        for (color, label, back) in legend {
            let x = RIGHT - back;
            self.line_of_svg(format_args!("<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{color}\"/>", top - 18.0));
            self.text(x + 9.0, top - 14.0, 12.0, FAINT, "", label);
        }
        let every = series.operations.len().div_ceil(MOST_DOTS).max(1);
        for (n, &(due, ms, writes, done)) in series.operations.iter().enumerate() {
            if done && ms < 100.0 && n % every != 0 {
                continue;
            }
            let (color, radius) = match (done, writes) {
                (false, _) => (FAILED, 3.0),
                (true, true) => (WRITES, 1.9),
                (true, false) => (READS, 1.9),
            };
            let (cx, cy) = (self.x(due), y(ms));
            self.line_of_svg(format_args!(
                "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{radius}\" fill=\"{color}\" fill-opacity=\"0.6\"/>"
            ));
        }
    }

    fn answers(&mut self, series: &Series) {
        let (top, bottom) = ANSWERS;
        let bins = self.seconds.ceil() as usize + 1;
        // Few enough to be seen.
        let wide = bins.div_ceil(180).max(1);
        let binned = |times: &[f64]| {
            let mut counts = vec![0.0; bins.div_ceil(wide)];
            for time in times {
                if let Some(count) = counts.get_mut((*time / wide as f64) as usize) {
                    *count += 1.0 / wide as f64;
                }
            }
            counts
        };
        let (answered, failed) = (binned(&series.acknowledged), binned(&series.failures));
        let most = answered.iter().zip(&failed).map(|(answered, failed)| answered + failed).fold(1.0, f64::max);
        self.text(LEFT, top - 14.0, 13.0, INK, " font-weight=\"600\"", "In each second");
        for (color, label, back) in [(ANSWERED, "answered", 210.0), (FAILED, "failed attempts", 112.0)] {
            self.rect(RIGHT - back - 4.0, top - 22.0, 8.0, 8.0, color, " rx=\"1\"");
            self.text(RIGHT - back + 9.0, top - 14.0, 12.0, FAINT, "", label);
        }
        for (value, at) in [(0.0, bottom), (most, top)] {
            self.line((LEFT, at), (RIGHT, at), GRID, "");
            self.text(LEFT - 8.0, at + 4.0, 11.0, FAINT, " text-anchor=\"end\"", &format!("{value:.0}"));
        }
        let height = |count: f64| count / most * (bottom - top);
        for (n, (answered, failed)) in answered.into_iter().zip(failed).enumerate() {
            let (x1, x2) = (self.x((n * wide) as f64), self.x(((n + 1) * wide) as f64));
            let width = (x2 - x1 - 1.0).max(0.8);
            let (grey, red) = (height(answered), height(failed));
            if answered > 0.0 {
                self.rect(x1, bottom - grey, width, grey, ANSWERED, "");
            }
            if failed > 0.0 {
                self.rect(x1, bottom - grey - red, width, red, FAILED, "");
            }
        }
        let step = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0]
            .into_iter()
            .find(|step| self.seconds / step <= 12.0)
            .unwrap_or(1800.0);
        let mut at = 0.0;
        while at <= self.seconds {
            let x = self.x(at);
            self.line((x, bottom), (x, bottom + 5.0), ANSWERED, "");
            self.text(x, bottom + 20.0, 11.0, FAINT, " text-anchor=\"middle\"", &format!("{at:.0} s"));
            at += step;
        }
    }

    /// The fault, and when AWS said that it was over.
    fn moments(&mut self, report: &Report) {
        let marks = [
            (report.fault_at_seconds, FAILED, "fault", "end", -6.0),
            (report.over_at_seconds, GOOD, "AWS: over", "start", 6.0),
        ];
        for (at, color, label, anchor, aside) in marks {
            let Some(at) = at else { continue };
            let x = self.x(at);
            self.line((x, LATENCY.0 - 6.0), (x, ANSWERS.1), color, " stroke-width=\"1.5\" stroke-dasharray=\"5 3\"");
            let more = format!(" font-weight=\"600\" text-anchor=\"{anchor}\"");
            self.text(x + aside, LATENCY.0 + 4.0, 12.0, color, &more, label);
        }
    }
}
