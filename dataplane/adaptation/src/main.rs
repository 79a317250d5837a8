//! Plays scenarios against the forwarding core in virtual time; `--help` tells how.

#![forbid(unsafe_code)]

use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use loupe_adaptation::args::{HELP, PolicyChoice, Request, Runs, parse};
use loupe_adaptation::policy::{Asked, Fixed, Greedy, Policy};
use loupe_adaptation::run::Run;
use loupe_adaptation::scenario::{Scenario, library};
use loupe_adaptation::{metrics, report};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).and_then(|request| serve(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("loupe-adaptation: {problem}");
            ExitCode::from(2)
        }
    }
}

fn serve(request: &Request) -> Result<(), String> {
    match request {
        Request::Help => say(HELP.trim_end()),
        Request::List(file) => say(&list(&known(file.as_deref())?).to_string()),
        Request::Run(runs) => {
            let mut scenarios = known(runs.file.as_deref())?;
            if let Some(name) = &runs.scenario {
                scenarios.retain(|scenario| scenario.is_meant_by(name));
            }
            if scenarios.is_empty() {
                return Err("no such scenario; --list tells them".to_owned());
            }
            scenarios.iter().try_for_each(|scenario| play(scenario, runs))
        }
    }
}

fn list(scenarios: &[Scenario]) -> Value {
    let entry = |scenario: &Scenario| {
        json!({
            "name": scenario.name,
            "about": scenario.about,
            "duration_s": scenario.duration_s,
            "goals": scenario.goals,
            "needs": scenario.files(),
        })
    };
    scenarios.iter().map(entry).collect()
}

/// The scenarios of a file, or the program's own.
fn known(file: Option<&str>) -> Result<Vec<Scenario>, String> {
    let Some(file) = file else { return Ok(library::all()) };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let name = Path::new(file).file_stem().map_or(file.into(), |stem| stem.to_string_lossy());
    Scenario::parse(&name, &text)
}

fn play(scenario: &Scenario, runs: &Runs) -> Result<(), String> {
    let mut policy: Box<dyn Policy> = match runs.policy {
        PolicyChoice::Ask => Box::new(Asked::new(stdin().lock(), stdout().lock())),
        PolicyChoice::Greedy => Box::new(Greedy),
        PolicyChoice::Fixed(layer) => Box::new(Fixed(layer)),
    };
    let control = match &scenario.control {
        Some(control) => Some(Run::complete(control, runs.seed, policy.as_mut())?),
        None => None,
    };
    let run = Run::complete(scenario, runs.seed, policy.as_mut())?;
    drop(policy);
    let mut figures = metrics::measure(&run);
    if let Some(control) = &control {
        metrics::compare(&run, &mut figures, control, &metrics::measure(control));
    }
    if let Some(directory) = &runs.log {
        write_logs(&run, Path::new(directory))?;
    }
    let report = report::report(&run, &figures, runs.course_us);
    let line = if runs.policy == PolicyChoice::Ask { json!({ "report": report }) } else { report };
    say(&line.to_string())
}

fn write_logs(run: &Run<'_>, directory: &Path) -> Result<(), String> {
    for (name, link) in &run.links {
        let Some(log) = run.world.net.link(*link).and_then(|link| link.log) else { continue };
        let path = directory.join(format!("{}-{}-{name}.csv", run.scenario.name.replace('/', "-"), run.seed));
        std::fs::write(&path, log.to_csv()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), String> {
    writeln!(stdout(), "{line}").map_err(|error| format!("cannot write: {error}"))
}
