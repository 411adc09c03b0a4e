//! Nothing panics, whatever the file holds.

use proptest::prelude::*;

use super::WHOLE;
use crate::blueprint::parse;

/// Parses and renders; what is found must lie inside the text.
fn survives(text: &str) -> Result<(), TestCaseError> {
    if let Err(errors) = parse("game.toml", text) {
        prop_assert!(!errors.findings.is_empty());
        for finding in &errors.findings {
            prop_assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
            prop_assert!(finding.line >= 1 && finding.line <= text.matches('\n').count() + 1);
            prop_assert!(finding.column >= 1 && !finding.message.is_empty() && !finding.help.is_empty());
        }
        prop_assert!(!errors.render(false).is_empty());
    }
    Ok(())
}

/// Pieces of TOML, and of what is not.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[".to_owned()),
        Just("]]".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("= {".to_owned()),
        Just("\r\n".to_owned()),
        Just("[stack]\n".to_owned()),
        Just("[alarms.thresholds]\n".to_owned()),
        Just("zones = [\"eu-central-1a\", 1]\n".to_owned()),
        Just("99999999999999999999999999".to_owned()),
        Just("-0x7fffffffffffffff".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        "[a-z_]{1,12} = ",
        "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text(text in "(?s).{0,400}") {
        survives(&text)?;
    }

    #[test]
    fn pieces_of_toml(pieces in prop::collection::vec(piece(), 0..40)) {
        survives(&pieces.concat())?;
    }

    #[test]
    fn a_blueprint_with_a_hole_and_a_patch(from in 0..WHOLE.len(), length in 0usize..60, patch in piece()) {
        let from = WHOLE.floor_char_boundary(from);
        let to = WHOLE.floor_char_boundary((from + length).min(WHOLE.len()));
        survives(&format!("{}{patch}{}", &WHOLE[..from], &WHOLE[to..]))?;
    }

    #[test]
    fn a_blueprint_with_other_values(line in 0usize..200, value in prop_oneof![
        Just("\"\"".to_owned()), Just("-1".to_owned()), Just("{}".to_owned()), Just("[[]]".to_owned()),
        Just("inf".to_owned()), Just("true".to_owned()), any::<i64>().prop_map(|n| n.to_string()),
        "\\PC{0,300}".prop_map(|text| format!("{text:?}")), "[a-z0-9./@-]{0,30}".prop_map(|text| format!("{text:?}")),
    ]) {
        let lines = WHOLE.lines().enumerate().map(|(at, text)| match text.split_once(" = ") {
            Some((key, _)) if at == line => format!("{key} = {value}"),
            _ => text.to_owned(),
        });
        survives(&lines.collect::<Vec<_>>().join("\n"))?;
    }
}

#[test]
fn deep_and_long_text() {
    for text in
        ["[".repeat(100_000), "a = ".to_owned() + &"[".repeat(100_000), "a.".repeat(50_000), "\"".repeat(99_999)]
    {
        assert!(parse("game.toml", &text).is_err());
    }
    let many: String = (0..20_000).map(|n| format!("[s{n}]\nx = 1\n")).collect();
    assert_eq!(parse("game.toml", &many).expect_err("no such sections").findings.len(), 20_001);
}
