//! What the strategy of an alias demands of its routes.

use super::{LEAST, mistakes, parse};

#[test]
fn what_a_strategy_cannot_work_with_is_refused_and_says_what_to_do() {
    let led = "[alias.orders]\nstrategy = \"receiver-led\"";
    let refused = "alias = \"orders\"\nkey_refused = [\"cxf\"]";
    for (alias, route, words) in [
        (
            led,
            "alias = \"orders\"",
            "key_refused is missing: alias orders is receiver-led",
        ),
        (led, "alias = \"orders\"\nkey_refused = []", "names no fault"),
        (
            "[alias.orders]",
            refused,
            "alias orders is pre-publish; remove it",
        ),
        (
            "[alias.orders]\nstrategy = \"hold\"\nhold = { time = \"90s\" }",
            "alias = \"orders\"",
            "raise timeouts.total, or shorten hold.time",
        ),
        (
            "[alias.orders]\nstrategy = \"hold\"",
            "alias = \"orders\"\ntimeouts = { total = \"30s\" }",
            "raise timeouts.total, or shorten hold.time",
        ),
    ] {
        let text = LEAST.replace("[alias.orders]", alias);
        let text = text.replace("alias = \"orders\"", route);
        let errors = mistakes(&text);
        assert!(
            errors.len() == 1 && errors[0].1.contains(words),
            "{text}: {errors:#?}"
        );
    }
    for strategy in ["hold", "receiver-led"] {
        let alias = format!("[alias.orders]\nstrategy = \"{strategy}\"");
        let text = LEAST
            .replace("[alias.orders]", &alias)
            .replace("alias = \"orders\"", refused);
        let second = |receiver: &str| {
            format!(
                "{text}\n[[route]]\nname = \"more\"\npath = \"/more\"\nreceiver = \"{receiver}\"\nalias = \"orders\"\n\
                 key_refused = [\"cxf\"]"
            )
        };
        parse(&second("https://ERP.example.com:443/more"));
        let errors = mistakes(&second("https://erp.example.com:8443/orders"));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(
            errors[0].1.contains("leads to https://erp.example.com:443"),
            "{errors:#?}"
        );
        assert!(
            errors[0].1.contains("give each receiver an alias of its own"),
            "{errors:#?}"
        );
    }
}
