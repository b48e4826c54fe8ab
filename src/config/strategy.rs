//! What the strategy of an alias demands of its routes: that a refusal is known where the receiver leads, that there is one
//! receiver, since one key follows one, and that no message is held for longer than its exchange may take.

use std::collections::BTreeMap;

use super::table::Table;
use super::{AliasConfig, RouteConfig, origin};
use crate::keys::Strategy;

/// Reports what does not fit about one route. `receivers` are those of the routes before, by alias.
pub(super) fn check(
    table: &Table<'_>,
    route: &RouteConfig,
    alias: &AliasConfig,
    receivers: &mut BTreeMap<String, String>,
) {
    let (name, strategy) = (&route.alias, alias.strategy);
    check_key_refused(table, route, strategy);
    if strategy == Strategy::PrePublish {
        return;
    }
    let own = origin(&route.receiver);
    let first = receivers.entry(name.clone()).or_insert_with(|| own.clone());
    if *first != own {
        let sentence = format!(
            "alias {name} is {strategy}, and another of its routes leads to {first}, which does not exchange its \
             certificate at the same time; give each receiver an alias of its own"
        );
        table.report_at("receiver", &sentence);
    }
    let (time, total) = (alias.hold.time, route.timeouts.total);
    if time >= total {
        table.report(format!(
            "alias {name} may hold a message for {time:?}, and the whole exchange may take {total:?} on this route: raise \
             timeouts.total, or shorten hold.time of the alias"
        ));
    }
}

/// A list that is there and empty has been reported.
fn check_key_refused(table: &Table<'_>, route: &RouteConfig, strategy: Strategy) {
    let (alias, there) = (&route.alias, table.has("key_refused"));
    match strategy {
        Strategy::ReceiverLed if !there => table.report(format!(
            "key_refused is missing: alias {alias} is receiver-led, which needs to know the faults by which this receiver \
             refuses a key; write key_refused = [\"cxf\"], or what `countersign renewal probe` finds out"
        )),
        Strategy::PrePublish if there => {
            let sentence = format!(
                "nothing follows from it, for alias {alias} is pre-publish; remove it, or write strategy = \"receiver-led\" \
                 there"
            );
            table.report_at("key_refused", &sentence);
        }
        Strategy::PrePublish | Strategy::Hold | Strategy::ReceiverLed => {}
    }
}
