//! Shared test inputs: `../shared/corpora` beside the repository, or below `LOUPE_SHARED`.
#![allow(dead_code, unreachable_pub, reason = "shared by test files, each of which uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The directory or file `corpora/{name}`; `None`, said aloud, when this machine has it not.
pub fn find(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("LOUPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("corpora").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("left out: no corpora/{name}");
    None
}

/// The JSON file `corpora/{name}`.
pub fn json(name: &str) -> Option<Value> {
    let text = fs::read_to_string(find(name)?).expect("a corpus file can be read");
    Some(serde_json::from_str(&text).expect("a corpus file is JSON"))
}

/// Every file below `corpora/{name}`.
pub fn files(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut pending: Vec<PathBuf> = find(name).into_iter().collect();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                fs::read_dir(&path).expect("a corpus can be listed").map(|entry| entry.unwrap().path()),
            );
        } else {
            let bytes = fs::read(&path).expect("a corpus file can be read");
            found.push((path, bytes));
        }
    }
    found
}

/// Bytes of a hexadecimal string.
pub fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "whole bytes");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// Bytes of the member `name`, which is hexadecimal.
pub fn hex_of(value: &Value, name: &str) -> Vec<u8> {
    hex(value[name].as_str().unwrap_or_else(|| panic!("member {name}")))
}
