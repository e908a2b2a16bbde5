#pragma once
// Before anything is changed: all hosts are reached, every site is looked at, and all sites are locked
// together or none. Mistakes are thrown as base::Errors, Interrupted passes; nothing has happened then.

#include "core/engine/walk.h"

namespace porter::engine {

// Connects to all hosts and reads the state of their sites, each host at its own pace. Needs no composed
// trees: it may run beside the composing, which writes other fields of the same records.
void reach_all(Walk& walk);
// connect(), with the states of the host's sites asked for at the same time: read_states() is next.
void call(Walk& walk, HostRun& host);
// What is there, into Deployment::before: one exchange, which fails as a whole. Nothing is judged.
void read_states(HostRun& host, const std::vector<Deployment*>& here);
// Judges what was read. What killed runs left there is put right before that, unless only a plan is wanted.
// Sites of others, of a later porter-admin, and frozen ones are refused as the request wants it.
void judge_all(Walk& walk);
// Locks the sites that something is to be done to; for a deploy or a rollback those that stay as they are,
// too. While one is busy all are let go, its holder is shown, and it is tried again until
// Request::lock_wait_seconds are over. The sites are then looked at anew: something may be to be done to one
// that was unchanged.
void lock_all(Walk& walk);
bool asks_for_confirmation(const Walk& walk);
// [config:NAME] confirm = yes: asks on a terminal, wants --yes elsewhere. `what`: "deploy to".
void confirm(Walk& walk, const std::string& what);

}  // namespace porter::engine
