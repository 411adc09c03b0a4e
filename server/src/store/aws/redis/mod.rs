//! The ranking on Redis: for each board a sorted set whose scores are all 0, so that the bytes of the members
//! ([`RankKey::encode`]) are the order, and a hash that knows each player's member and its version. Both keys of a board
//! carry the same hash tag: a script's keys lie in one slot.

mod breaker;
mod link;
mod scripts;

use std::time::Duration;

use async_trait::async_trait;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates};
use secrecy::ExposeSecret;

use self::link::{Link, STORE};
use self::scripts::Scripts;
use crate::store::{
    BoardKey, CacheSettings, Order, PlayerId, RankKey, RankPage, RankedEntry, Ranking, ScoreRow, StoreError,
};

/// Rows of one call: a script blocks the server while it runs.
const ROWS: usize = 256;
/// A builder that is silent for so long is dead, and another may begin.
const BUILDER_SILENT_MS: u64 = 30_000;

/// Ranks, in Redis.
pub struct RedisRanking {
    primary: Link,
    /// For what may lag by a moment.
    reader: Option<Link>,
    scripts: Scripts,
}

impl RedisRanking {
    /// Connects when it is first used.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(settings: &CacheSettings, authorities: Vec<u8>) -> Result<Self, StoreError> {
        let link = |host: &str| {
            client(settings, host, &authorities).map(Link::new).map_err(|e| StoreError::failed(STORE, "setting up", e))
        };
        let reader = settings.reader_host.as_deref().filter(|host| *host != settings.host);
        Ok(Self { primary: link(&settings.host)?, reader: reader.map(link).transpose()?, scripts: Scripts::new() })
    }

    /// Reads from a replica, or from the primary where that does not answer.
    async fn read<T: redis::FromRedisValue>(
        &self,
        operation: &'static str,
        script: &redis::ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        if let Some(reader) = &self.reader {
            match reader.run(operation, script).await {
                Ok(value) => return Ok(value),
                Err(error) => tracing::warn!(error = %crate::store::chain(&error), "the replica does not answer"),
            }
        }
        self.primary.run(operation, script).await
    }

    /// Takes standings into these keys, and into a build that is under way.
    fn standings_script(
        &self,
        keys: Keys,
        board: &BoardKey,
        order: Order,
        rows: &[ScoreRow],
    ) -> redis::ScriptInvocation<'_> {
        let build = Keys::of_build(board, order);
        let mut script = self.scripts.apply.key(keys.members);
        script.key(keys.standings).key(build.members).key(build.standings);
        for row in rows {
            script.arg(row.key.player.as_str()).arg(standing(row, order));
        }
        script
    }
}

/// The keys of a board in one order: one whose order changes is built anew.
struct Keys {
    members: String,
    standings: String,
}

impl Keys {
    fn of(board: &BoardKey, order: Order) -> Self {
        let way = order.name();
        Self {
            members: format!("rank:{{{board}}}:{way}:members"),
            standings: format!("rank:{{{board}}}:{way}:standings"),
        }
    }

    /// Where it is built anew, before it takes the board's place.
    fn of_build(board: &BoardKey, order: Order) -> Self {
        let way = order.name();
        Self {
            members: format!("rank:{{{board}}}:{way}:build:members"),
            standings: format!("rank:{{{board}}}:{way}:build:standings"),
        }
    }
}

fn client(settings: &CacheSettings, host: &str, authorities: &[u8]) -> redis::RedisResult<Client> {
    let mut login = RedisConnectionInfo::default();
    if let Some(token) = &settings.auth_token {
        login = login.set_password(token.expose_secret());
    }
    let info = |addr: ConnectionAddr| -> redis::RedisResult<ConnectionInfo> {
        Ok(addr.into_connection_info()?.set_redis_settings(login))
    };
    if !settings.tls {
        return Client::open(info(ConnectionAddr::Tcp(host.to_owned(), settings.port))?);
    }
    let address =
        ConnectionAddr::TcpTls { host: host.to_owned(), port: settings.port, insecure: false, tls_params: None };
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities.to_vec()) };
    Client::build_with_tls(info(address)?, certificates)
}

/// What the hash holds for a player: the version in 16 digits, the member without the player.
fn standing(row: &ScoreRow, order: Order) -> Vec<u8> {
    let mut bytes = format!("{:016}", row.version).into_bytes();
    let member = row.key.encode(order);
    bytes.extend_from_slice(&member[..member.len() - row.key.player.as_str().len()]);
    bytes
}

fn entry(rank_from_zero: u64, member: &[u8], order: Order) -> Result<RankedEntry, StoreError> {
    Ok(RankedEntry { rank: rank_from_zero + 1, key: RankKey::decode(member, order)? })
}

/// Total, first rank from 0, members.
type Lines = (u64, u64, Vec<Vec<u8>>);

fn rank_page((total, first, members): Lines, order: Order) -> Result<RankPage, StoreError> {
    let entries = (first..).zip(&members).map(|(rank, member)| entry(rank, member, order)).collect::<Result<_, _>>()?;
    Ok(RankPage { entries, total })
}

#[async_trait]
impl Ranking for RedisRanking {
    async fn apply(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        for some in rows.chunks(ROWS) {
            let script = self.standings_script(Keys::of(board, order), board, order, some);
            let _: redis::Value = self.primary.run("taking standings", &script).await?;
        }
        Ok(())
    }

    async fn apply_one(
        &self,
        board: &BoardKey,
        order: Order,
        row: &ScoreRow,
    ) -> Result<(RankedEntry, u64), StoreError> {
        let script = self.standings_script(Keys::of(board, order), board, order, std::slice::from_ref(row));
        let (rank, member, total): (u64, Vec<u8>, u64) = self.primary.run("taking a standing", &script).await?;
        Ok((entry(rank, &member, order)?, total))
    }

    async fn rank(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
    ) -> Result<Option<(RankedEntry, u64)>, StoreError> {
        let keys = Keys::of(board, order);
        let mut script = self.scripts.rank.key(keys.members);
        script.key(keys.standings).arg(player.as_str());
        let answer: Vec<redis::Value> = self.primary.run("reading a rank", &script).await?;
        let page = ranks(answer, order)?;
        Ok(page.entries.into_iter().next().map(|entry| (entry, page.total)))
    }

    async fn page(
        &self,
        board: &BoardKey,
        order: Order,
        after: Option<&RankKey>,
        limit: u32,
    ) -> Result<RankPage, StoreError> {
        let mut script = self.scripts.page.key(Keys::of(board, order).members);
        script.arg(after.map(|key| key.encode(order)).unwrap_or_default()).arg(limit);
        rank_page(self.read("reading a board", &script).await?, order)
    }

    async fn around(
        &self,
        board: &BoardKey,
        order: Order,
        player: &PlayerId,
        radius: u32,
    ) -> Result<Option<RankPage>, StoreError> {
        let keys = Keys::of(board, order);
        let mut script = self.scripts.around.key(keys.members);
        script.key(keys.standings).arg(player.as_str()).arg(radius);
        // Who has just scored looks here: not from a replica.
        let lines: Option<Lines> = self.primary.run("reading around a player", &script).await?;
        lines.map(|lines| rank_page(lines, order)).transpose()
    }

    async fn among(&self, board: &BoardKey, order: Order, players: &[PlayerId]) -> Result<RankPage, StoreError> {
        let keys = Keys::of(board, order);
        let mut script = self.scripts.rank.key(keys.members);
        script.key(keys.standings);
        for player in players {
            script.arg(player.as_str());
        }
        let mut page = ranks(self.read("reading friends", &script).await?, order)?;
        page.entries.sort_by_key(|entry| entry.rank);
        page.entries.dedup();
        Ok(page)
    }

    async fn remove(&self, board: &BoardKey, players: &[PlayerId]) -> Result<(), StoreError> {
        for order in Order::BOTH {
            let (keys, build) = (Keys::of(board, order), Keys::of_build(board, order));
            for some in players.chunks(ROWS) {
                let mut script = self.scripts.remove.key(&keys.members);
                script.key(&keys.standings).key(&build.members).key(&build.standings);
                for player in some {
                    script.arg(player.as_str());
                }
                let _: redis::Value = self.primary.run("taking players off a board", &script).await?;
            }
        }
        Ok(())
    }

    async fn is_built(&self, board: &BoardKey, order: Order) -> Result<bool, StoreError> {
        let keys = Keys::of(board, order);
        let mut script = self.scripts.built.key(keys.members);
        script.key(keys.standings);
        self.primary.run("asking for a board", &script).await
    }

    async fn begin_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        let build = Keys::of_build(board, order);
        let mut script = self.scripts.begin_build.key(build.members);
        script.key(build.standings).arg(owner).arg(BUILDER_SILENT_MS);
        self.primary.run("beginning a board", &script).await
    }

    async fn build(&self, board: &BoardKey, order: Order, rows: &[ScoreRow]) -> Result<(), StoreError> {
        for some in rows.chunks(ROWS) {
            let script = self.standings_script(Keys::of_build(board, order), board, order, some);
            let _: redis::Value = self.primary.run("building a board", &script).await?;
        }
        let build = Keys::of_build(board, order);
        let mut script = self.scripts.keep_build.key(build.members);
        script.key(build.standings).arg(BUILDER_SILENT_MS);
        let _: redis::Value = self.primary.run("building a board", &script).await?;
        Ok(())
    }

    async fn finish_build(&self, board: &BoardKey, order: Order, owner: &str) -> Result<bool, StoreError> {
        let (keys, build) = (Keys::of(board, order), Keys::of_build(board, order));
        let other = Keys::of(board, order.reverse());
        let mut script = self.scripts.finish_build.key(keys.members);
        script.key(keys.standings).key(build.members).key(build.standings);
        script.key(other.members).key(other.standings).arg(owner);
        self.primary.run("finishing a board", &script).await
    }

    async fn lead(&self, owner: &str, at_most: Duration) -> Result<bool, StoreError> {
        let mut script = self.scripts.lead.key("rank:leader");
        script.arg(owner).arg(u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX));
        self.primary.run("asking who leads", &script).await
    }

    async fn forget(&self, board: &BoardKey) -> Result<(), StoreError> {
        for order in Order::BOTH {
            let (keys, build) = (Keys::of(board, order), Keys::of_build(board, order));
            let mut script = self.scripts.forget.key(keys.members);
            script.key(keys.standings).key(build.members).key(build.standings);
            let _: redis::Value = self.primary.run("dropping a board", &script).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        let script = self.scripts.check.key("rank:check");
        let _: redis::Value = self.primary.run("a write", &script).await?;
        Ok(())
    }

    async fn close(&self) {
        self.primary.close().await;
        if let Some(reader) = &self.reader {
            reader.close().await;
        }
    }
}

/// The answer of `rank.lua`: total, then rank and member by turns.
fn ranks(answer: Vec<redis::Value>, order: Order) -> Result<RankPage, StoreError> {
    let unreadable = |_| StoreError::Corrupt { store: STORE, what: "the answer of a script".to_owned() };
    let mut values = answer.into_iter();
    let total = values.next().map(redis::from_redis_value).transpose().map_err(unreadable)?.unwrap_or_default();
    let mut entries = Vec::new();
    while let (Some(rank), Some(member)) = (values.next(), values.next()) {
        let rank = redis::from_redis_value(rank).map_err(unreadable)?;
        let member: Vec<u8> = redis::from_redis_value(member).map_err(unreadable)?;
        entries.push(entry(rank, &member, order)?);
    }
    Ok(RankPage { entries, total })
}
