//! The picture, of figures that are made up here.

use jiff::Timestamp;

use super::load::score;
use super::players::{Game, Item};
use super::*;

/// A drill of 60 s whose writes stand still from 20 s to 27 s.
fn report() -> Report {
    let mut series = Series::default();
    for n in 0..1800_u32 {
        let due = f64::from(n) / 30.0;
        let writes = n % 3 != 2;
        let base = 6.0 + f64::from(n * 7919 % 97) / 12.0;
        let away = writes && (20.0..27.0).contains(&due);
        let ms = if away { (27.0 - due) * 1000.0 + base } else { base };
        series.operations.push((due, ms, writes, n != 615));
        series.acknowledged.push(due + ms / 1000.0);
        if away {
            series.failures.push(due + 0.1);
        }
    }
    let count = Count { asked: 600, acknowledged: 600, retried: 70, given_up: 0, refused: 0 };
    Report {
        fault: Fault::DatabaseFailover,
        stack: "game-dev".into(),
        region: "eu-central-1".into(),
        api_url: "http://127.0.0.1:8080".into(),
        release: None,
        deed: "rebooting game-dev-database with failover to its standby".into(),
        outcome: "eu-central-1a -> eu-central-1b".into(),
        started_at: Timestamp::UNIX_EPOCH,
        seconds: 60.0,
        fault_at_seconds: Some(20.0),
        over_at_seconds: Some(29.5),
        rate: 30.0,
        load_late_ms: 3.0,
        drill: "19700101t000000-abcdef".into(),
        player_ids: vec!["A".into(); 30],
        purchases: count,
        scores: Count { given_up: 1, acknowledged: 599, ..count },
        ranks: count,
        stale_ranks: 0,
        failed_attempts: 140,
        without_writes: Blackout { seconds: 7.0, longest_seconds: 7.0, stretches: vec![(20.0, 27.0)] },
        without_reads: Blackout::default(),
        latency: Phases::default(),
        audit: Audit::default(),
        interrupted: false,
        series,
    }
}

#[test]
fn the_picture_is_well_formed_and_shows_every_slow_operation() {
    let svg = draw(&report());
    if let Some(path) = std::env::var_os("DRILL_PICTURE") {
        std::fs::write(path, &svg).expect("written");
    }
    for said in ["Database failover of game-dev", "7.0 s", "without writes", "fault", "AWS: over", "no writes", "→"] {
        assert!(svg.contains(said), "{said} is not in the picture");
    }
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert_eq!(svg.matches("<circle").count(), 1800 + 3, "a dot an operation, and the legend's");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn many_operations_are_thinned_out_but_never_the_slow_ones() {
    let mut report = report();
    let slow = report.series.operations.iter().filter(|operation| operation.1 >= 100.0).count();
    report.series.operations = report.series.operations.repeat(10);
    let svg = draw(&report);
    let dots = svg.matches("<circle").count();
    assert!(dots > slow * 10 && dots < 8000, "{dots} dots");
}

#[test]
fn names_cannot_break_the_picture() {
    let svg = draw(&Report { outcome: "<script>&".into(), ..report() });
    assert!(svg.contains("&lt;script&gt;&amp;") && !svg.contains("<script>"));
}

#[test]
fn an_empty_drill_can_be_drawn() {
    let report = Report { series: Series::default(), seconds: 0.0, fault_at_seconds: None, ..report() };
    assert!(draw(&report).ends_with("</svg>\n"));
}

/// Whichever score is first: a test player is far behind, and each of its scores is better than the one before.
#[test]
fn test_players_displace_nobody() {
    let game = |ascending| Game { item: Item { id: "sword".to_owned(), price: 1, slot: None }, ascending };
    let (down, up) = (game(false), game(true));
    assert!(score(0, &down) < score(1, &down) && score(1_000_000, &down) < 0);
    assert!(score(0, &up) > score(1, &up) && score(1_000_000, &up) > 100_000_000);
}
