"""What moto lacks or gets wrong. Every module here patches moto's classes on import.

One module a service (a large one has several: `autoscaling`, `autoscaling_groups`, ...).
Durations are AWS's own, in seconds at the head of each module; `clock` divides them.
Statuses are computed when they are read (`lifecycle.Phases`); what must *happen* later
(an instance joining, a cluster being gone) is run by `lifecycle.run_later` under `hooks.lock`.

For a data plane
----------------
`events.on(name, fn)`: fn(**details), called under `hooks.lock`, so it must not block. The
names and their details are listed in `events.EVENTS`. Objects are moto's own.

`providers.provide(question, fn)`: addresses and health that the data plane knows; the
questions are listed in `providers.QUESTIONS`. None means: no opinion.

Accessors:
    autoscaling.group_of(instance)           the group that launched an instance, or None
    elbv2.load_balancer_by_arn(region, arn, account)
    elbv2_targets.target_groups(region, account), elbv2_targets.registered(target_group)
    rds.database(region, id, account), rds.databases(region, account)
    rds.address_of(database), rds.source_of(replica), rds.replicas_of(database)
    rds.sync_interfaces(database)
    rds_parameters.parameters_in_force(database)   what the user set in its parameter group
    elasticache.members(group)                [Member(id, zone, status)] in order
    elasticache.groups(region, account), elasticache.primary(group), elasticache.address_of(group, role)
    elasticache_changes.fail_over(group)      makes a replica the primary, as a failure would
    elasticache_groups.parameters_in_force(group)
A group's AUTH token is `group._auth_token`; a database's password comes with its event and is
`database._master_user_password`.
"""
