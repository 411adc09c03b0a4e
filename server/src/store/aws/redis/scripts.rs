//! What runs inside Redis.

use redis::Script;

/// All of them, loaded into Redis when they are first run.
pub(super) struct Scripts {
    pub apply: Script,
    pub rank: Script,
    pub page: Script,
    pub around: Script,
    pub built: Script,
    pub begin_build: Script,
    pub keep_build: Script,
    pub finish_build: Script,
    pub lead: Script,
    pub remove: Script,
    pub forget: Script,
    pub check: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            apply: Script::new(include_str!("apply.lua")),
            rank: Script::new(include_str!("rank.lua")),
            page: Script::new(include_str!("page.lua")),
            around: Script::new(include_str!("around.lua")),
            built: Script::new(include_str!("built.lua")),
            begin_build: Script::new(include_str!("begin_build.lua")),
            keep_build: Script::new(include_str!("keep_build.lua")),
            finish_build: Script::new(include_str!("finish_build.lua")),
            lead: Script::new(include_str!("lead.lua")),
            remove: Script::new(include_str!("remove.lua")),
            forget: Script::new("return redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])"),
            check: Script::new("redis.call('SET', KEYS[1], '1', 'EX', 60) return redis.call('GET', KEYS[1])"),
        }
    }
}
