use super::*;
use settings::differences;

fn spec() -> Spec {
    Spec::private("b".into(), vec![LifecycleRule::versions("lease/", 1), LifecycleRule::versions("journal/", 1)])
}

#[test]
fn the_order_of_lifecycle_rules_is_no_difference() {
    let mut live = spec();
    live.lifecycle.reverse();
    assert!(differences(&live, &spec()).iter().all(|(_, differs)| !differs));
}

#[test]
fn every_setting_that_differs_is_found() {
    let live = Spec {
        name: "b".into(),
        public_access_blocked: false,
        encryption: String::new(),
        ownership: String::new(),
        versioned: false,
        lifecycle: Vec::new(),
        drills: false,
    };
    assert!(differences(&live, &spec()).iter().all(|(_, differs)| *differs));
}
