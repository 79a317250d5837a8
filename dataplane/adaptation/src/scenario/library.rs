//! The scenarios that come with the program, and where traces lie.

use std::path::{Path, PathBuf};

use super::Scenario;

/// Name and text of each file.
const FILES: &[(&str, &str)] = &[
    ("s1", include_str!("../../scenarios/s1.json")),
    ("s2", include_str!("../../scenarios/s2.json")),
    ("s3", include_str!("../../scenarios/s3.json")),
    ("s4", include_str!("../../scenarios/s4.json")),
    ("s5", include_str!("../../scenarios/s5.json")),
    ("s6", include_str!("../../scenarios/s6.json")),
    ("s7", include_str!("../../scenarios/s7.json")),
    ("s8", include_str!("../../scenarios/s8.json")),
    ("s9", include_str!("../../scenarios/s9.json")),
    ("s10", include_str!("../../scenarios/s10.json")),
    ("s11", include_str!("../../scenarios/s11.json")),
    ("s12", include_str!("../../scenarios/s12.json")),
    ("other-reports", include_str!("../../scenarios/other-reports.json")),
    ("rfc8867-5.1", include_str!("../../scenarios/rfc8867-5.1.json")),
    ("rfc8867-5.2", include_str!("../../scenarios/rfc8867-5.2.json")),
    ("rfc8867-5.3", include_str!("../../scenarios/rfc8867-5.3.json")),
    ("rfc8867-5.4", include_str!("../../scenarios/rfc8867-5.4.json")),
    ("rfc8867-5.5", include_str!("../../scenarios/rfc8867-5.5.json")),
    ("rfc8867-5.6", include_str!("../../scenarios/rfc8867-5.6.json")),
    ("rfc8867-5.7", include_str!("../../scenarios/rfc8867-5.7.json")),
    ("rfc8867-5.8", include_str!("../../scenarios/rfc8867-5.8.json")),
    ("rfc8867-6.1", include_str!("../../scenarios/rfc8867-6.1.json")),
];

/// All of them. They are part of the program, so they can be read.
pub fn all() -> Vec<Scenario> {
    FILES
        .iter()
        .flat_map(|(name, text)| Scenario::parse(name, text).unwrap_or_else(|problem| panic!("{problem}")))
        .collect()
}

/// The scenarios that `name` means: one, or all variants of one.
pub fn find(name: &str) -> Vec<Scenario> {
    all().into_iter().filter(|scenario| scenario.is_meant_by(name)).collect()
}

/// Where traces lie that may not be shipped: beside the repository, or where the environment says.
pub fn traces() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("LOUPE_SHARED").map_or_else(beside, PathBuf::from).join("traces")
}

/// Reads a file that a link names: as it stands, or among the traces.
pub fn read(name: &str) -> Result<String, String> {
    let here = PathBuf::from(name);
    let path = if here.exists() { here } else { traces().join(name) };
    std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))
}
