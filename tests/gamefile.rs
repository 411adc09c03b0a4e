//! The game's own file: shipped with the servers, and a change of it reaches the players without a stop.

use provision_tests::{LocalAws, root};
use serde_json::{Value, json};

const FIRST: &str = "
[[boards]]
name = \"cup\"
cron = \"0 0 * * MON\"
rewards = [{ ranks = [1, 1], coins = 500 }]

[[catalog]]
item_id = \"7\"
name = \"Lantern\"
price = 35
";

/// What a player sees: the catalogue of the deployed API.
const LOOK: &str = "
import json, urllib.request
def call(method, path, body=None, token=None):
    headers = {'Content-Type': 'application/json'} | ({'Authorization': f'Bearer {token}'} if token else {})
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request('API' + path, data=data, headers=headers, method=method)
    return json.load(urllib.request.urlopen(request))
session = call('POST', '/v1/sessions', {'device_id': 'phone', 'device_secret': '0123456789abcdef' * 4})
catalog = call('GET', '/v1/catalog', token=session['access_token'])
print(json.dumps([[item['name'], item['price']] for item in catalog['items']]))";

fn prices(aws: &LocalAws, blueprint: &str) -> Value {
    let outputs = aws.done(&["outputs", blueprint, "--json"]).json();
    let api = outputs["api_url"].as_str().expect("an address");
    serde_json::from_str(&aws.boto3("sts", &LOOK.replace("API", api))).expect("JSON")
}

#[test]
fn the_games_file_is_shipped_and_its_changes_follow() {
    let aws = LocalAws::start(&["--time-scale", "60"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let text = text.replace("[servers]\n", "[servers]\ngame_file = \"game.toml\"\n");
    let blueprint = aws.blueprint("blueprint.toml", &text);

    // Missing, and no TOML: said before anything is made.
    for wrong in [None, Some("[[boards]\n")] {
        if let Some(wrong) = wrong {
            aws.blueprint("game.toml", wrong);
        }
        let refused = aws.run(&["up", &blueprint, "--yes"]);
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains("game.toml of [servers] cannot be used"), "{}", refused.err);
    }

    aws.blueprint("game.toml", FIRST);
    aws.done(&["up", &blueprint, "--yes"]);
    assert_eq!(prices(&aws, &blueprint), json!([["Lantern", 35]]));
    aws.done(&["plan", &blueprint, "--check"]);

    aws.blueprint("game.toml", &FIRST.replace("35", "40"));
    let plan = aws.done(&["plan", &blueprint, "--json"]).json();
    let changes = plan["changes"].as_array().expect("changes");
    let changed: Vec<&str> = changes.iter().filter_map(|c| c["address"].as_str()).collect();
    assert_eq!(changed, ["game-file", "launch-template", "servers"]);
    aws.done(&["up", &blueprint, "--yes"]);
    assert_eq!(prices(&aws, &blueprint), json!([["Lantern", 40]]));

    // Back again: what was uploaded before is what is wanted now.
    aws.blueprint("game.toml", FIRST);
    aws.done(&["up", &blueprint, "--yes"]);
    assert_eq!(prices(&aws, &blueprint), json!([["Lantern", 35]]));
    aws.done(&["plan", &blueprint, "--check"]);
    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}
