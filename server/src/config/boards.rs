//! The boards, as they are written in the game's file or in `GAME_BOARDS`.

use jiff::Timestamp;
use serde::Deserialize;

use super::reader::Reader;
use crate::{
    domain::board::{Board, Boards, Rule, Seasons, is_name, named_by_end, next_end},
    store::{Order, Reward, Rewards},
};

/// No rank is worth more.
const MOST_COINS: i64 = 1 << 40;

/// A board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: String,
    rule: Option<Rule>,
    order: Option<Order>,
    season: Option<String>,
    cron: Option<String>,
    ends: Option<Moment>,
    #[serde(default)]
    rewards: Vec<RewardEntry>,
}

/// TOML has times of its own; JSON has text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Toml(toml::value::Datetime),
    Text(String),
}

impl Moment {
    fn text(&self) -> String {
        match self {
            Self::Toml(datetime) => datetime.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RewardEntry {
    ranks: [u64; 2],
    coins: i64,
}

const NAME: &str = "is not 1 to 64 of a-z, 0-9, '-', '_'";

/// The boards. `GAME_SEASON` names the endless seasons that have no name of their own.
pub(super) fn boards(reader: &mut Reader<'_>, season: Option<String>, file: Option<Vec<Entry>>) -> Boards {
    let season = reader.text("GAME_SEASON").or(season).unwrap_or_else(|| "all".to_owned());
    if !is_name(&season) {
        reader.wrong("GAME_SEASON", format_args!("{season:?} {NAME}"));
    }
    let (source, entries) = match (reader.json::<Vec<Entry>>("GAME_BOARDS"), file) {
        (None, Some(entries)) => ("GAME_FILE", entries),
        (Some(entries), _) => ("GAME_BOARDS", entries),
        (None, None) => {
            let endless = Seasons::Endless(season);
            return Boards::new(Board { seasons: endless, ..Board::named("main") }, Vec::new());
        }
    };
    let mut names = std::collections::HashSet::new();
    let mut boards = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let place = format!("boards[{index}] {:?}", entry.name);
        if !is_name(&entry.name) {
            reader.wrong(source, format_args!("{place}: the name {NAME}"));
        }
        if !names.insert(entry.name.clone()) {
            reader.wrong(source, format_args!("{place} is there twice"));
        }
        let mut wrong = |message: String| reader.wrong(source, format_args!("{place}: {message}"));
        boards.push(Board {
            seasons: seasons(&entry, &season, &mut wrong),
            rewards: rewards(&entry, &mut wrong),
            name: entry.name,
            rule: entry.rule.unwrap_or(Rule::Best),
            order: entry.order.unwrap_or(Order::Descending),
        });
    }
    let mut boards = boards.into_iter();
    let first = boards.next().unwrap_or_else(|| {
        reader.wrong(source, "must name at least one board");
        Board::named("main")
    });
    Boards::new(first, boards.collect())
}

fn seasons(entry: &Entry, default: &str, wrong: &mut dyn FnMut(String)) -> Seasons {
    let name = entry.season.clone();
    if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
        wrong(format!("season: {name:?} {NAME}"));
    }
    let endless = || Seasons::Endless(name.clone().unwrap_or_else(|| default.to_owned()));
    match (&entry.cron, &entry.ends) {
        (Some(_), Some(_)) => {
            wrong("cron and ends: a board has one of them or none".to_owned());
            endless()
        }
        (Some(pattern), None) => {
            if name.is_some() {
                wrong("season: the seasons of a cron are named by their ends".to_owned());
            }
            match pattern.parse::<croner::Cron>() {
                Ok(cron) if next_end(&cron, Timestamp::UNIX_EPOCH).is_some() => Seasons::Cron(Box::new(cron)),
                Ok(_) => {
                    wrong(format!("cron: {pattern:?} never comes"));
                    endless()
                }
                Err(error) => {
                    wrong(format!("cron: {pattern:?} is not a cron pattern: {error}"));
                    endless()
                }
            }
        }
        (None, Some(moment)) => match moment.text().parse::<Timestamp>() {
            Ok(ends) => Seasons::Until { name: name.clone().unwrap_or_else(|| named_by_end(ends)), ends },
            Err(_) => {
                wrong(format!("ends: {:?} is not a moment such as 2027-01-31T00:00:00Z", moment.text()));
                endless()
            }
        },
        (None, None) => endless(),
    }
}

fn rewards(entry: &Entry, wrong: &mut dyn FnMut(String)) -> Rewards {
    if !entry.rewards.is_empty() && entry.cron.is_none() && entry.ends.is_none() {
        wrong("rewards: its season never ends, so that they would never be paid; set cron or ends".to_owned());
    }
    let mut rewards: Vec<Reward> = Vec::with_capacity(entry.rewards.len());
    for (index, reward) in entry.rewards.iter().enumerate() {
        let [first, last] = reward.ranks;
        if first == 0 || first > last {
            wrong(format!("rewards[{index}]: ranks [{first}, {last}] are not [first, last], from 1"));
        } else if let Some(other) = rewards.iter().find(|other| first <= other.last && other.first <= last) {
            wrong(format!("rewards[{index}]: ranks [{first}, {last}] and [{}, {}] meet", other.first, other.last));
        }
        if !(1..=MOST_COINS).contains(&reward.coins) {
            wrong(format!("rewards[{index}]: {} coins are not 1 to {MOST_COINS}", reward.coins));
        }
        rewards.push(Reward { first, last, coins: reward.coins });
    }
    Rewards(rewards)
}
