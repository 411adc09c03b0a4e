//! Players at a fixed rate: each request is due at its time, whatever became of those before it. Keep-alive connections, no
//! second try: every answer that is not the intended one and every failed exchange counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dice::Dice;

const PLAYERS: usize = 32;
/// What a new player can buy: 1,000 coins, bombs at 100.
const PURCHASES_EACH: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(15);

/// One request's sort, and its share in a hundred.
const MIX: [(Sort, u64); 5] =
    [(Sort::Score, 35), (Sort::Rank, 35), (Sort::Purchase, 15), (Sort::Ledger, 10), (Sort::Session, 5)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Session,
    Score,
    Rank,
    Purchase,
    Ledger,
}

/// A keep-alive connection to the API.
#[derive(Debug)]
pub struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// To `http://ADDRESS:PORT`.
    pub fn new(api: &str) -> Self {
        Self { address: api.trim_start_matches("http://").trim_end_matches('/').to_owned(), stream: None }
    }

    /// One exchange: status and JSON body. After an error the next one connects anew.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let result = self.exchange(method, path, headers, body);
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.address, body.len());
        request.push_str("Content-Type: application/json\r\n");
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str("\r\n");
        request.push_str(&body);
        stream.get_mut().write_all(request.as_bytes())?;
        let (status, closes, answer) = read_answer(stream)?;
        if closes {
            self.stream = None;
        }
        Ok((status, serde_json::from_slice(&answer).unwrap_or(Value::Null)))
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, bool, Vec<u8>)> {
    let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "closed before an answer"));
    }
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken("no status line"))?;
    let (mut length, mut closes) = (0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| broken("no length"))?,
            "transfer-encoding" => return Err(broken("chunked")),
            "connection" => closes = value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, closes, body))
}

#[derive(Debug, Clone)]
struct Player {
    id: String,
    token: String,
    purchases: u32,
    scored: bool,
}

/// An acknowledged purchase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purchase {
    /// The player.
    pub user: String,
    /// The id that the answer gave.
    pub id: String,
}

#[derive(Debug, Default)]
struct Seen {
    players: Vec<Player>,
    tokens: BTreeMap<String, String>,
    purchases: BTreeSet<Purchase>,
    sent: BTreeMap<Sort, u64>,
    failures: Vec<String>,
    millis: Vec<u32>,
}

/// Players at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
    api: String,
    started: Instant,
}

/// What the load generator counted.
#[derive(Debug)]
pub struct Report {
    /// Requests.
    pub sent: u64,
    /// Of which failed: another status than the intended one, or no answer.
    pub failed: u64,
    /// What failed, in words; the first few.
    pub failures: Vec<String>,
    /// Every acknowledged purchase.
    pub purchases: BTreeSet<Purchase>,
    /// The access tokens of those who bought.
    tokens: BTreeMap<String, String>,
    api: String,
    summary: String,
}

impl Load {
    /// Starts `rate` requests a second at `api`.
    pub fn start(api: &str, rate: u64) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut client = Client::new(api);
        // Two loads on one stack are not the same players.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let seed = now.as_nanos() as u64;
        let mut dice = Dice::new(seed);
        for _ in 0..PLAYERS {
            let player = sign_up(&mut client, &mut dice).expect("players sign up before the load begins");
            seen.lock().expect("nobody panicked").add(player);
        }
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let started = Instant::now();
        let threads = (0..PLAYERS as u64).map(|number| {
            let worker = Worker {
                client: Client::new(api),
                dice: Dice::new(seed + 1 + number),
                stop: stop.clone(),
                failed: failed.clone(),
                seen: seen.clone(),
            };
            std::thread::spawn(move || worker.run(number, rate, started))
        });
        let threads = threads.collect();
        Self { stop, failed, seen, threads, api: api.to_owned(), started }
    }

    /// How many requests have failed so far.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Ends it, and what it counted.
    pub fn stop(self) -> Report {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().expect("no worker panics"));
        let mut seen = std::mem::take(&mut *self.seen.lock().expect("nobody panicked"));
        seen.millis.sort_unstable();
        let at = |part: f64| seen.millis.get(((seen.millis.len() as f64) * part) as usize).copied().unwrap_or_default();
        let sent = seen.sent.values().sum();
        let seconds = self.started.elapsed().as_secs_f64();
        let failed = self.failed.load(Ordering::SeqCst);
        let summary = format!(
            "{sent} requests in {seconds:.0} s ({:.0}/s: {:?}), {failed} failed, {} purchases acknowledged; p50 {} ms, p99 {} ms, \
             longest {} ms",
            sent as f64 / seconds,
            seen.sent,
            seen.purchases.len(),
            at(0.5),
            at(0.99),
            seen.millis.last().copied().unwrap_or_default(),
        );
        Report {
            sent,
            failed,
            failures: seen.failures,
            purchases: seen.purchases,
            tokens: seen.tokens,
            api: self.api,
            summary,
        }
    }
}

impl Report {
    /// Prints the counts, and what failed.
    #[allow(clippy::print_stdout, reason = "tests print what they count")]
    pub fn print(&self, what: &str) {
        println!("{what}: {}", self.summary);
        self.failures.iter().for_each(|failure| println!("  {failure}"));
    }

    /// The purchases that the players' own ledgers show, asked through the API.
    pub fn in_ledgers(&self) -> BTreeSet<Purchase> {
        let users: BTreeSet<&String> = self.purchases.iter().map(|purchase| &purchase.user).collect();
        let mut client = Client::new(&self.api);
        let mut found = BTreeSet::new();
        for user in users {
            let bearer = format!("Bearer {}", self.tokens[user]);
            let path = format!("/v1/users/{user}/ledger?limit=200");
            let (status, page) =
                client.call("GET", &path, &[("Authorization", &bearer)], None).expect("the API answers");
            assert_eq!(status, 200, "{page}");
            for entry in page["entries"].as_array().expect("entries") {
                if entry["reason"] == "purchase" {
                    let id = entry["ref"].as_str().expect("a reference").to_owned();
                    assert!(found.insert(Purchase { user: user.clone(), id }), "booked twice: {entry}");
                }
            }
        }
        found
    }
}

impl Seen {
    fn add(&mut self, player: Player) {
        self.tokens.insert(player.id.clone(), player.token.clone());
        self.players.push(player);
    }
}

fn sign_up(client: &mut Client, dice: &mut Dice) -> Result<Player, String> {
    let body = json!({"device_id": hex(dice, 16), "device_secret": hex(dice, 64)});
    let (status, answer) = client.call("POST", "/v1/sessions", &[], Some(&body)).map_err(|error| error.to_string())?;
    if status != 201 {
        return Err(format!("{status} {answer}"));
    }
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Ok(Player { id: text("user_id"), token: text("access_token"), purchases: 0, scored: false })
}

/// So many hexadecimal digits.
fn hex(dice: &mut Dice, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(dice.roll(16) as u32, 16).expect("below 16")).collect()
}

struct Worker {
    client: Client,
    dice: Dice,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
}

impl Worker {
    fn run(mut self, number: u64, rate: u64, started: Instant) {
        let mut turn = number;
        while !self.stop.load(Ordering::SeqCst) {
            let due = started + Duration::from_micros(turn * 1_000_000 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let sort = self.sort();
            let result = self.one(sort);
            let millis = u32::try_from(due.elapsed().as_millis()).unwrap_or(u32::MAX);
            let mut seen = self.seen.lock().expect("nobody panicked");
            *seen.sent.entry(sort).or_default() += 1;
            seen.millis.push(millis);
            if let Err(why) = result {
                self.failed.fetch_add(1, Ordering::SeqCst);
                if seen.failures.len() < 20 {
                    let at = started.elapsed().as_secs_f64();
                    seen.failures.push(format!("{sort:?} at {at:.1} s after {millis} ms: {why}"));
                }
            }
            drop(seen);
            turn += PLAYERS as u64;
        }
    }

    fn sort(&mut self) -> Sort {
        let mut roll = self.dice.roll(100);
        for (sort, share) in MIX {
            if roll < share {
                return sort;
            }
            roll -= share;
        }
        Sort::Rank
    }

    fn one(&mut self, sort: Sort) -> Result<(), String> {
        if sort == Sort::Session {
            let player = sign_up(&mut self.client, &mut self.dice)?;
            self.seen.lock().expect("nobody panicked").add(player);
            return Ok(());
        }
        let player = self.player(sort);
        let bearer = format!("Bearer {}", player.token);
        let of = |rest: &str| format!("/v1/users/{}/{rest}", player.id);
        let run_id = hex(&mut self.dice, 24);
        let key = hex(&mut self.dice, 24);
        let score = json!({"score": self.dice.roll(1_000_000), "run_id": run_id});
        let bomb = json!({"item_id": "101", "expected_price": 100});
        let (method, path, body, wanted) = match sort {
            Sort::Score => ("POST", of("scores"), Some(&score), 200),
            Sort::Purchase => ("POST", of("items"), Some(&bomb), 201),
            Sort::Ledger => ("GET", of("ledger"), None, 200),
            Sort::Rank | Sort::Session if player.scored => ("GET", of("rank"), None, 200),
            Sort::Rank | Sort::Session => ("GET", "/v1/leaderboard?limit=10".to_owned(), None, 200),
        };
        let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key.as_str())];
        let (status, answer) = self.client.call(method, &path, &headers, body).map_err(|error| error.to_string())?;
        if status != wanted {
            return Err(format!("{status} {answer}"));
        }
        let mut seen = self.seen.lock().expect("nobody panicked");
        match sort {
            Sort::Score => seen.players.iter_mut().filter(|p| p.id == player.id).for_each(|p| p.scored = true),
            Sort::Purchase => {
                let id = answer["purchase_id"].as_str().unwrap_or_default().to_owned();
                seen.purchases.insert(Purchase { user: player.id, id });
            }
            _ => {}
        }
        Ok(())
    }

    /// One of the players; for a purchase one who can pay.
    fn player(&mut self, sort: Sort) -> Player {
        let mut seen = self.seen.lock().expect("nobody panicked");
        let count = seen.players.len() as u64;
        let first = self.dice.roll(count) as usize;
        let mut order = (first..first + seen.players.len()).map(|index| index % count as usize);
        let fit = |index: &usize| sort != Sort::Purchase || seen.players[*index].purchases < PURCHASES_EACH;
        let index = order.find(fit).unwrap_or(first);
        if sort == Sort::Purchase {
            seen.players[index].purchases += 1;
        }
        seen.players[index].clone()
    }
}
