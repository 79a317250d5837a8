//! Puts an emulated pair of links between real UDP sockets, in real time.
//!
//! `relay --listen 127.0.0.1:7000 --forward 127.0.0.1:7882 --rate 1000 --delay-ms 50 --queue-ms 300 --loss 1`
//!
//! Datagrams that reach `--listen` pass the link called up and leave for `--forward` from a socket of their sender's
//! own; what that socket receives passes the link called down and returns to the sender. All senders share the two
//! links. The process sleeps until a datagram or the links' next event.

#![forbid(unsafe_code)]

#[cfg(unix)]
mod options;
#[cfg(unix)]
mod real_time;
#[cfg(unix)]
mod stamped;

use std::process::ExitCode;

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("relay: needs a Unix system");
    ExitCode::FAILURE
}

#[cfg(unix)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", options::usage());
        return ExitCode::SUCCESS;
    }
    match options::Options::parse(&arguments).and_then(|options| real_time::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("relay: {problem}");
            ExitCode::FAILURE
        }
    }
}
