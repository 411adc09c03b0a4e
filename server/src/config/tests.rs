use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::read(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn a_laptop_needs_nothing() {
    let config = read(&[]).expect("defaults");
    assert!(matches!(config.store, StoreConfig::Embedded { .. }));
    assert_eq!((config.port, config.metrics_port, config.rules.start_coins), (8080, 9100, 1000));
    assert_eq!(config.definition.catalogue.items().len(), 2);
}

#[test]
fn every_wrong_value_is_reported_at_once() {
    let error = read(&[
        ("GAME_STORE", "aws"),
        ("GAME_PORT", "80800"),
        ("GAME_HOST", "localhost"),
        ("GAME_DATABASE_TLS", "maybe"),
        ("GAME_CATALOG", "[{}]"),
        ("GAME_SEASON", "Season 1"),
        ("GAME_LOG", "server=loud"),
    ])
    .expect_err("all of it is wrong")
    .to_string();
    for name in [
        "GAME_PORT",
        "GAME_HOST",
        "GAME_DATABASE_HOST",
        "GAME_DATABASE_SECRET",
        "GAME_DATABASE_TLS",
        "GAME_CACHE_HOST",
        "GAME_LOG_TABLE",
        "GAME_SIGNING_SECRET",
        "GAME_CATALOG",
        "GAME_SEASON",
        "GAME_LOG:",
    ] {
        assert!(error.contains(name), "{name} is missing in:\n{error}");
    }
}

#[test]
fn empty_is_unset() {
    let config = read(&[("GAME_PORT", ""), ("GAME_STACK", " ")]).expect("as if unset");
    assert_eq!((config.port, config.stack), (8080, None));
}

#[test]
fn the_stores_on_aws_need_only_where_they_are() {
    let config = read(&[
        ("GAME_STORE", "aws"),
        ("GAME_DATABASE_HOST", "db"),
        ("GAME_DATABASE_SECRET", "s"),
        ("GAME_DATABASE_READ_HOSTS", "a, b,"),
        ("GAME_CACHE_HOST", "cache"),
        ("GAME_LOG_TABLE", "log"),
        ("GAME_SIGNING_SECRET", "k"),
    ])
    .expect("enough");
    let StoreConfig::Aws(aws) = config.store else { panic!("not aws") };
    let at = |host: &str| Endpoint { host: host.to_owned(), port: 3306 };
    assert_eq!(aws.database_replicas, ReplicaSettings::At(vec![at("a"), at("b")]));
    assert!(aws.database_tls && aws.cache_tls && config.logging.json);
}

#[test]
fn replicas_are_named_or_asked_for_and_not_both() {
    let with = |more: &[(&str, &str)]| {
        read(&[&[("GAME_STORE", "aws")], more].concat()).expect_err("more is missing").to_string()
    };
    let both = [("GAME_DATABASE_READ_HOSTS", "a"), ("GAME_DATABASE_INSTANCE", "game-dev-database")];
    assert!(with(&both).contains("GAME_DATABASE_READ_HOSTS"));
    assert!(both.iter().all(|one| !with(&[*one]).contains("GAME_DATABASE_READ_HOSTS")));
}

#[test]
fn events_are_thrown_away_only_when_it_is_said() {
    let log = |value| {
        let pairs = [("GAME_STORE", "aws"), ("GAME_EVENT_LOG", value)];
        read(&pairs).expect_err("without the rest").to_string()
    };
    assert!(log("discard").contains("GAME_CACHE_HOST") && !log("discard").contains("GAME_LOG_TABLE"));
    assert!(log("dynamodb").contains("GAME_LOG_TABLE"));
    assert!(log("none").contains("GAME_EVENT_LOG"));
}

#[test]
fn boards_must_be_told_apart() {
    assert!(read(&[("GAME_BOARDS", "[]")]).is_err());
    assert!(read(&[("GAME_BOARDS", r#"[{"name":"a"},{"name":"a"}]"#)]).is_err());
    let config = read(&[("GAME_BOARDS", r#"[{"name":"laps","order":"ascending"},{"name":"sum","rule":"sum"}]"#)]);
    assert_eq!(config.expect("valid").definition.boards.default_board().name, "laps");
}

#[test]
fn a_rate_of_none_is_no_limit() {
    let rates = read(&[("GAME_RATE_PLAYER", "0"), ("GAME_RATE_ADDRESS_BURST", "7")]).expect("valid").rates;
    assert_eq!(rates.player, None);
    assert_eq!(rates.address.expect("a limit").burst.get(), 7);
    assert!(read(&[("GAME_RATE_PLAYER_BURST", "0")]).is_err());
}

fn with_file(text: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("game.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text");
    read(&[&[("GAME_FILE", path)], more].concat())
}

fn season(config: &Config) -> String {
    config.definition.boards.default_board().key(jiff::Timestamp::UNIX_EPOCH).season
}

#[test]
fn seasons_and_rewards_can_come_from_a_file() {
    let text = r#"
        [[boards]]
        name = "weekly"
        cron = "0 0 * * MON"
        rewards = [{ ranks = [1, 1], coins = 500 }, { ranks = [2, 10], coins = 100 }]
        [[boards]]
        name = "cup"
        ends = 2027-01-31T00:00:00Z
        [[boards]]
        name = "league"
        season = "winter"
        ends = "2027-01-31T00:00:00Z"
    "#;
    let boards = with_file(text, &[]).expect("valid").definition.boards;
    let now = "2026-11-23T06:00:00Z".parse().expect("a time");
    let season = |name: &str| boards.find(Some(name)).expect("there").seasons.at(now);
    assert_eq!(season("weekly").name, "2026-11-30t00-00-00z");
    assert_eq!(season("cup").name, "2027-01-31t00-00-00z");
    assert_eq!(season("league").name, "winter");
    assert_eq!(season("cup").ends, season("league").ends);
    assert_eq!([1, 7, 11].map(|rank| boards.default_board().rewards.of(rank)), [500, 100, 0]);
}

#[test]
fn every_wrong_season_and_reward_is_told_with_its_place() {
    let text = r#"
        [[boards]]
        name = "a"
        cron = "every week"
        [[boards]]
        name = "b"
        cron = "0 0 * * MON"
        ends = 2027-01-31T00:00:00Z
        [[boards]]
        name = "c"
        ends = "soon"
        [[boards]]
        name = "d"
        rewards = [{ ranks = [1, 1], coins = 5 }]
        [[boards]]
        name = "e"
        cron = "0 0 * * MON"
        season = "winter"
        rewards = [{ ranks = [1, 3], coins = 0 }, { ranks = [3, 4], coins = 5 }, { ranks = [9, 8], coins = 5 }]
    "#;
    let error = with_file(text, &[]).expect_err("wrong").to_string();
    let told = [
        "boards[0] \"a\": cron",
        "boards[1] \"b\": cron and ends",
        "boards[2] \"c\": ends",
        "boards[3] \"d\": rewards",
        "boards[4] \"e\": season",
        "rewards[0]: 0 coins",
        "rewards[1]: ranks [3, 4] and [1, 3]",
        "rewards[2]: ranks [9, 8]",
    ];
    for told in told {
        assert!(error.contains(told), "{told} is missing in:\n{error}");
    }
}

#[test]
fn boards_and_prices_can_come_from_a_file() {
    let text = r#"
        season = "s2"
        [[boards]]
        name = "laps"
        order = "ascending"
        [[boards]]
        name = "total"
        rule = "sum"
        [[catalog]]
        item_id = "7"
        name = "Shield"
        price = 30
    "#;
    let config = with_file(text, &[]).expect("valid");
    assert_eq!((season(&config), config.definition.boards.all().count()), ("s2".to_owned(), 2));
    assert_eq!(config.definition.boards.default_board().name, "laps");
    assert_eq!(config.definition.catalogue.items()[0].price, 30);
    let config = with_file(text, &[("GAME_SEASON", "s3")]).expect("valid");
    assert_eq!(
        (season(&config), config.definition.catalogue.items().len()),
        ("s3".to_owned(), 1),
        "the environment goes before"
    );
}

#[test]
fn a_wrong_file_is_told_with_the_rest() {
    for text in ["[[boards]]\nname = \"a\"\nmode = \"sum\"", "prices = 1", "season = 7", "["] {
        let error = with_file(text, &[("GAME_PORT", "x")]).expect_err("wrong").to_string();
        assert!(error.contains("GAME_FILE") && error.contains("GAME_PORT"), "{error}");
    }
    let negative = "[[catalog]]\nitem_id = \"7\"\nname = \"Shield\"\nprice = -1";
    assert!(with_file(negative, &[]).is_err());
    assert!(read(&[("GAME_FILE", "/there/is/none")]).expect_err("wrong").to_string().contains("GAME_FILE"));
}

#[test]
fn app_stores_are_configured_whole_or_not_at_all() {
    let none = read(&[]).expect("valid").receipts;
    assert!(none.apple.is_none() && none.google.is_none() && !none.sandbox);
    let both = read(&[
        ("GAME_APPLE_BUNDLE_ID", "com.example.game"),
        ("GAME_GOOGLE_PACKAGE", "com.example.game"),
        ("GAME_GOOGLE_SECRET", "play"),
        ("GAME_RECEIPTS_SANDBOX", "accept"),
        ("GAME_PRODUCTS", r#"[{"product_id":"coins_500","coins":500}]"#),
    ]);
    let both = both.expect("valid").receipts;
    assert!(both.apple.is_some() && both.sandbox);
    assert!(matches!(both.google.expect("there").key, GoogleKey::Secret(id) if id == "play"));
    let error = read(&[
        ("GAME_APPLE_BUNDLE_ID", "com.example.game"),
        ("GAME_APPLE_ROOT", "/there/is/none"),
        ("GAME_GOOGLE_PACKAGE", "com.example.game"),
        ("GAME_GOOGLE_URL", "nowhere"),
        ("GAME_RECEIPTS_SANDBOX", "maybe"),
        ("GAME_PRODUCTS", r#"[{"product_id":"coins_500","coins":0}]"#),
    ]);
    let error = error.expect_err("all of it is wrong").to_string();
    for name in ["GAME_APPLE_ROOT", "GAME_GOOGLE_PACKAGE", "GAME_GOOGLE_URL", "GAME_RECEIPTS_SANDBOX", "GAME_PRODUCTS"]
    {
        assert!(error.contains(name), "{name} is missing in:\n{error}");
    }
    let config = with_file("[[products]]\nproduct_id = \"a\"\ncoins = 5", &[]);
    assert!(config.is_ok());
}
