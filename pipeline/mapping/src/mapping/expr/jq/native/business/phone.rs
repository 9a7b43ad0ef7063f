//! Phone numbers as they are dialled within a country.

/// How the numbers of a country become international.
#[derive(Debug, Clone, Copy)]
pub(super) struct Country {
    code: &'static str,
    calling: &'static str,
    /// What is dialled before a number within the country, and not from abroad.
    trunk: &'static str,
}

const fn of(code: &'static str, calling: &'static str, trunk: &'static str) -> Country {
    Country {
        code,
        calling,
        trunk,
    }
}

/// By the plans of the International Telecommunication Union (E.164 national numbering plans). In Italy and some other
/// countries a leading zero belongs to the number.
const COUNTRIES: &[Country] = &[
    of("AE", "971", "0"),
    of("AL", "355", "0"),
    of("AR", "54", "0"),
    of("AT", "43", "0"),
    of("AU", "61", "0"),
    of("BA", "387", "0"),
    of("BE", "32", "0"),
    of("BG", "359", "0"),
    of("BR", "55", "0"),
    of("CA", "1", "1"),
    of("CH", "41", "0"),
    of("CL", "56", ""),
    of("CN", "86", "0"),
    of("CO", "57", ""),
    of("CR", "506", ""),
    of("CY", "357", ""),
    of("CZ", "420", ""),
    of("DE", "49", "0"),
    of("DK", "45", ""),
    of("DZ", "213", "0"),
    of("EE", "372", ""),
    of("EG", "20", "0"),
    of("ES", "34", ""),
    of("FI", "358", "0"),
    of("FR", "33", "0"),
    of("GB", "44", "0"),
    of("GR", "30", ""),
    of("HK", "852", ""),
    of("HR", "385", "0"),
    of("HU", "36", "06"),
    of("ID", "62", "0"),
    of("IE", "353", "0"),
    of("IL", "972", "0"),
    of("IN", "91", "0"),
    of("IS", "354", ""),
    of("IT", "39", ""),
    of("JP", "81", "0"),
    of("KE", "254", "0"),
    of("KR", "82", "0"),
    of("KW", "965", ""),
    of("LK", "94", "0"),
    of("LU", "352", ""),
    of("LV", "371", ""),
    of("MA", "212", "0"),
    of("MT", "356", ""),
    of("MX", "52", ""),
    of("MY", "60", "0"),
    of("NG", "234", "0"),
    of("NL", "31", "0"),
    of("NO", "47", ""),
    of("NZ", "64", "0"),
    of("PE", "51", "0"),
    of("PH", "63", "0"),
    of("PK", "92", "0"),
    of("PL", "48", ""),
    of("PR", "1", "1"),
    of("PT", "351", ""),
    of("QA", "974", ""),
    of("RO", "40", "0"),
    of("RS", "381", "0"),
    of("SA", "966", "0"),
    of("SE", "46", "0"),
    of("SG", "65", ""),
    of("SI", "386", "0"),
    of("SK", "421", "0"),
    of("TH", "66", "0"),
    of("TN", "216", ""),
    of("TR", "90", "0"),
    of("TW", "886", "0"),
    of("UA", "380", "0"),
    of("US", "1", "1"),
    of("UY", "598", "0"),
    of("VN", "84", "0"),
    of("ZA", "27", "0"),
];

/// The calling code of a plan whose numbers have ten digits, the first of which is 2 to 9; `011` begins an international call.
const NORTH_AMERICA: &str = "1";

/// The country with that code.
pub(super) fn country(code: &str) -> Option<Country> {
    let code = code.trim();
    let mut all = COUNTRIES.iter();
    all.find(|country| country.code.eq_ignore_ascii_case(code))
        .copied()
}

/// The codes of all countries.
pub(super) fn countries() -> String {
    let codes: Vec<&str> = COUNTRIES.iter().map(|country| country.code).collect();
    codes.join(", ")
}

/// The international form of a number that is dialled like that in the country; `None` if it is international already, may be, or
/// is no number: a wrong number would be another person's.
pub(super) fn international(text: &str, country: Country) -> Option<String> {
    let text = text.trim();
    if text.starts_with('+') || text.starts_with("00") {
        return None;
    }
    let mut digits = String::with_capacity(16);
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '\u{a0}' | '.' | '-' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}' => {}
            _ => return None,
        }
    }
    let number = match digits.strip_prefix(country.trunk) {
        Some(rest) if !country.trunk.is_empty() => rest,
        // with the country's own code, and no `+`
        None if !country.trunk.is_empty() && digits.starts_with(country.calling) => return None,
        Some(_) | None => digits.as_str(),
    };
    if country.calling == NORTH_AMERICA && (number.len() != 10 || number.starts_with(['0', '1'])) {
        return None;
    }
    let whole = country.calling.len() + number.len();
    (number.len() >= 4 && (8..=15).contains(&whole))
        .then(|| format!("+{}{number}", country.calling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn national_numbers_get_the_code_of_their_country() {
        for (text, code, wanted) in [
            ("030 1234567", "DE", Some("+49301234567")),
            ("(030) 123-4567", "de", Some("+49301234567")),
            ("06 1234 5678", "IT", Some("+390612345678")),
            ("(212) 555-0123", "US", Some("+12125550123")),
            ("1-212-555-0123", "US", Some("+12125550123")),
            ("06 20 123 4567", "HU", Some("+36201234567")),
            ("12 34 56 78", "DK", Some("+4512345678")),
            ("+44 20 7946 0000", "DE", None),
            ("0044 20 7946 0000", "DE", None),
            ("110", "DE", None),
            ("49 30 1234567", "DE", None),
            ("011 49 30 1234567", "US", None),
            ("030 1234567", "US", None),
            ("555-0123", "US", None),
            ("030 12345 ext. 6", "DE", None),
            ("", "DE", None),
            ("0123456789012345", "DE", None),
        ] {
            let country = country(code).unwrap();
            assert_eq!(international(text, country).as_deref(), wanted, "{text}");
        }
        assert!(country("XX").is_none());
    }

    #[test]
    fn every_country_is_there_once() {
        let codes: std::collections::BTreeSet<_> = COUNTRIES.iter().map(|one| one.code).collect();
        assert_eq!(codes.len(), COUNTRIES.len());
        assert!(
            COUNTRIES
                .iter()
                .all(|one| one.code.len() == 2 && (1..=3).contains(&one.calling.len()))
        );
    }
}
