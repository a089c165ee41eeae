//! What the device must know of its own certificate: whose it is, and when it ends. TLS checks the rest.

/// The parts that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The subject's common name: the handle, as digits.
    pub(super) name: String,
    /// Seconds since 1970.
    pub(super) from_unix_s: i64,
    /// Seconds since 1970.
    pub(super) until_unix_s: i64,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

impl Facts {
    /// Reads a certificate's DER (RFC 5280 4.1); none of what is not one.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = take(der, SEQUENCE)?;
        let (mut fields, _) = take(certificate, SEQUENCE)?;
        if let Some((_, rest)) = take(fields, VERSION) {
            fields = rest;
        }
        for _serial_algorithm_issuer in 0..3 {
            fields = any(fields)?.2;
        }
        let (validity, fields) = take(fields, SEQUENCE)?;
        let (from_unix_s, rest) = date(validity)?;
        let (until_unix_s, _) = date(rest)?;
        let (subject, _) = take(fields, SEQUENCE)?;
        Some(Self { name: common_name(subject)?, from_unix_s, until_unix_s })
    }

    /// When a new one is asked for: when a third of the validity is left.
    pub(super) fn renew_from_unix_s(&self) -> i64 {
        self.until_unix_s.saturating_sub(self.until_unix_s.saturating_sub(self.from_unix_s) / 3)
    }
}

/// The first element: its tag, its content, and what follows it.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn take(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    any(der).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

fn common_name(mut subject: &[u8]) -> Option<String> {
    while !subject.is_empty() {
        let (_, set, rest) = any(subject)?;
        let (attribute, _) = take(set, SEQUENCE)?;
        let (_, kind, value) = any(attribute)?;
        if kind == COMMON_NAME {
            return String::from_utf8(any(value)?.1.to_vec()).ok();
        }
        subject = rest;
    }
    None
}

/// RFC 5280 4.1.2.5: in UTC with seconds, and years before 2050 in two digits.
fn date(der: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, text, rest) = any(der)?;
    let (year_digits, digits) = match tag {
        UTC_TIME => (2, text.strip_suffix(b"Z").filter(|digits| digits.len() == 12)?),
        GENERALIZED_TIME => (4, text.strip_suffix(b"Z").filter(|digits| digits.len() == 14)?),
        _ => return None,
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let year = match (year_digits, number(&digits[..year_digits])?) {
        (2, year @ ..50) => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    let mut parts = [0; 5];
    for (part, pair) in parts.iter_mut().zip(digits[year_digits..].chunks_exact(2)) {
        *part = number(pair)?;
    }
    let [month, day, hour, minute, second] = parts;
    let fits =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    fits.then(|| (days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second, rest))
}

/// Days since 1970 of a date of the Gregorian calendar. Years are counted from March, so that the day
/// that leap years add is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn made(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::OrganizationName, "Somebody");
        params.distinguished_name.push(DnType::CommonName, "0123456789abcdef");
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn name_and_dates_are_read_in_both_forms() {
        // `date -u -d 2049-12-31 +%s` and so on.
        let facts = Facts::read(&made((1970, 1, 1), (2049, 12, 31))).unwrap();
        let expected = Facts { name: "0123456789abcdef".into(), from_unix_s: 0, until_unix_s: 2_524_521_600 };
        assert_eq!(facts, expected);
        let facts = Facts::read(&made((2024, 2, 29), (9999, 12, 31))).unwrap();
        assert_eq!((facts.from_unix_s, facts.until_unix_s), (1_709_164_800, 253_402_214_400));
    }

    #[test]
    fn renewal_is_due_when_a_third_is_left() {
        let facts = Facts { name: String::new(), from_unix_s: 1000, until_unix_s: 4000 };
        assert_eq!(facts.renew_from_unix_s(), 3000);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_panic() {
        let whole = made((2000, 3, 1), (2100, 3, 1));
        for end in 0..whole.len() {
            let _ = Facts::read(&whole[..end]);
        }
        assert_eq!(Facts::read(&whole[..100]), None);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                let _ = Facts::read(&other);
            }
        }
    }
}
