//! `loupe-loadtest`: see `--help`.

use std::process::ExitCode;

use loupe_loadtest::args::{Args, HELP};
use loupe_loadtest::run::Load;

/// The command line or the server is wrong.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => return refuse(&why),
    };
    match Load::new(args).and_then(|mut load| load.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("loupe-loadtest: {why}");
    ExitCode::from(UNUSABLE)
}
