//! The scenarios that come with the program, and where traces lie.

use std::path::{Path, PathBuf};

use super::Scenario;

/// Name and text of each file.
const FILES: &[(&str, &str)] = &[
    ("s1", include_str!("../../scenarios/s1.json")),
    ("s3", include_str!("../../scenarios/s3.json")),
    ("s5", include_str!("../../scenarios/s5.json")),
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
    let prefix = format!("{name}/");
    all().into_iter().filter(|scenario| scenario.name == name || scenario.name.starts_with(&prefix)).collect()
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
