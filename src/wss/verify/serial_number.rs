//! Serial numbers of certificates as messages write them: stacks disagree about their form, too.

use openssl::bn::BigNum;

use crate::wss::policy::MOST_SERIAL_DIGITS;

/// A serial number in decimal without leading noughts, from decimal or `0x` hexadecimal.
pub(super) fn serial_number(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MOST_SERIAL_DIGITS {
        return None;
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = hexadecimal.unwrap_or_else(|| text.strip_prefix('-').unwrap_or(text));
    let radix = if hexadecimal.is_some() { 16 } else { 10 };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = match hexadecimal {
        Some(digits) => BigNum::from_hex_str(digits),
        None => BigNum::from_dec_str(text),
    };
    Some(number.ok()?.to_dec_str().ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_of_any_length_and_radix_compare_as_numbers() {
        for (text, number) in [
            ("1", Some("1")),
            (" 007 ", Some("7")),
            ("-5", Some("-5")),
            ("0x10", Some("16")),
            ("0XfF", Some("255")),
            (
                "727885129180488904360266563744972327436484050815",
                Some("727885129180488904360266563744972327436484050815"),
            ),
            ("", None),
            ("0x", None),
            ("1a", None),
            ("0x-1", None),
            ("1 2", None),
        ] {
            assert_eq!(serial_number(text).as_deref(), number, "{text:?}");
        }
        assert_eq!(serial_number(&"9".repeat(10_000)), None);
    }
}
