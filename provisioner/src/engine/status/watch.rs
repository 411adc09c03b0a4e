//! A stack that is looked at again and again, in few calls.

use super::servers::{self, Releases};
use super::{Resource, Snapshot, StatusError, context, holder, resources, stores};
use crate::aws::stack::Stack;
use crate::engine::observed::Inventory;
use crate::engine::session::Session;
use crate::kinds::{Cx, auto_scaling_group, replication_group};

/// Every so many looks all resources are listed; the others ask, in at most eight calls (and one for each hundred database
/// instances, cache clusters and alarms more), for what changes by itself.
const ALL_EVERY: u32 = 6;

/// Looks at one stack.
pub struct Watcher<'a> {
    session: &'a Session,
    cx: Cx,
    looks: u32,
    known: Option<(Inventory, Vec<Resource>)>,
    releases: Releases,
}

impl<'a> Watcher<'a> {
    /// Calls nothing.
    pub fn new(session: &'a Session, stack: Stack) -> Self {
        Self { session, cx: context(session, stack), looks: 0, known: None, releases: Releases::new() }
    }

    /// How the stack is now.
    pub async fn look(&mut self) -> Result<Snapshot, StatusError> {
        let known = match self.known.take().filter(|_| !self.looks.is_multiple_of(ALL_EVERY)) {
            Some(known) => known,
            None => resources(self.session, &self.cx).await?,
        };
        self.looks += 1;
        let (inventory, resources) = &*self.known.insert(known);
        let has = |address: &str| inventory.live.contains_key(address);
        let has_kind = |kind: &str| inventory.all().any(|o| o.kind == kind);
        let (cx, releases) = (&self.cx, &mut self.releases);
        let (lease, instances, database, cache, alarms) = futures::try_join!(
            async { Ok::<_, StatusError>(holder(cx).await?) },
            async {
                Ok(if has(auto_scaling_group::ADDRESS) { servers::instances(cx, releases).await? } else { Vec::new() })
            },
            async {
                let any = has_kind("db_instance") || has_kind("db_replica");
                Ok(if any { stores::database(cx).await? } else { Vec::new() })
            },
            async { Ok(if has(replication_group::ADDRESS) { stores::cache(cx).await? } else { Vec::new() }) },
            async { Ok(if has_kind("alarm") { stores::alarms(cx).await? } else { Vec::new() }) },
        )?;
        Ok(Snapshot {
            stack: cx.stack.name.clone(),
            coming: resources.iter().filter(|r| r.is_coming()).count(),
            ready_in_seconds: resources.iter().filter_map(|r| r.ready_in_seconds).max(),
            resources: resources.clone(),
            lease,
            instances,
            database,
            cache,
            alarms,
        })
    }
}
