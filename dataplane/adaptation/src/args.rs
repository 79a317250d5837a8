//! The command line.

use std::str::FromStr;

use lexopt::ValueExt;
use lexopt::prelude::*;

/// What the command line can say, as it is shown to who asks.
pub const HELP: &str = "\
loupe-adaptation: the forwarding core against poor links, in virtual time

  --list                 the scenarios, as JSON
  --file FILE            scenarios of your own, as JSON, in place of those of the program
  --scenario NAME        one of them (NAME/VARIANT), or all variants of one [with --file: all]
  --seed N               of everything random [1]
  --policy POLICY        ask: one line of JSON to stdout, one with wishes from stdin, whenever layers are to be chosen;
                         greedy: the highest layer within nine tenths of the estimate; fixed:LAYER [ask]
  --course MS            report the course of each subscriber in steps of so many ms
  --log DIRECTORY        write the links' packet logs there, as CSV

The report is one line of JSON per run, to stdout; with `ask` it follows on a line of its own and has a `report`.

Exit code 0: ran; 2: the command line, a scenario or the policy is wrong.
";

/// Who chooses layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyChoice {
    /// The other end of stdin and stdout.
    Ask,
    /// [`crate::policy::Greedy`].
    Greedy,
    /// [`crate::policy::Fixed`].
    Fixed(u8),
}

impl FromStr for PolicyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<PolicyChoice, String> {
        match (text, text.split_once(':')) {
            ("ask", _) => Ok(PolicyChoice::Ask),
            ("greedy", _) => Ok(PolicyChoice::Greedy),
            (_, Some(("fixed", layer))) => {
                layer.parse().map(PolicyChoice::Fixed).map_err(|_| format!("{text}: no number of a layer"))
            }
            _ => Err(format!("{text}: no policy; --help tells them")),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The help.
    Help,
    /// The list; of a file, when one is named.
    List(Option<String>),
    /// Runs.
    Run(Runs),
}

/// Runs to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    /// A scenario of the library.
    pub scenario: Option<String>,
    /// A file.
    pub file: Option<String>,
    /// Of everything random.
    pub seed: u64,
    /// Who chooses layers.
    pub policy: PolicyChoice,
    /// Steps of the course, microseconds.
    pub course_us: Option<u64>,
    /// Where logs go.
    pub log: Option<String>,
}

/// Reads the command line. The error is one line for the user.
pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Request, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut runs =
        Runs { scenario: None, file: None, seed: 1, policy: PolicyChoice::Ask, course_us: None, log: None };
    let mut list = false;
    let problem = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(problem)? {
        match argument {
            Long("help") | Short('h') => return Ok(Request::Help),
            Long("list") => list = true,
            Long("scenario") => {
                runs.scenario = Some(parser.value().and_then(ValueExt::string).map_err(problem)?);
            }
            Long("file") => runs.file = Some(parser.value().and_then(ValueExt::string).map_err(problem)?),
            Long("seed") => runs.seed = parser.value().and_then(|it| it.parse()).map_err(problem)?,
            Long("policy") => runs.policy = parser.value().and_then(|it| it.parse()).map_err(problem)?,
            Long("course") => {
                let ms: u64 = parser.value().and_then(|it| it.parse()).map_err(problem)?;
                runs.course_us = Some(ms.max(1) * 1_000);
            }
            Long("log") => runs.log = Some(parser.value().and_then(ValueExt::string).map_err(problem)?),
            other => return Err(problem(other.unexpected())),
        }
    }
    if list {
        return Ok(Request::List(runs.file));
    }
    if runs.scenario.is_none() && runs.file.is_none() {
        return Err("--scenario or --file is needed; --help tells all options".to_owned());
    }
    Ok(Request::Run(runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn what_is_asked_for() {
        assert_eq!(read("--help"), Ok(Request::Help));
        assert_eq!(read("--list"), Ok(Request::List(None)));
        assert_eq!(read("--list --file x.json"), Ok(Request::List(Some("x.json".to_owned()))));
        let Ok(Request::Run(runs)) = read("--scenario s1 --seed 7 --policy fixed:2 --course 100") else {
            panic!("a run")
        };
        assert_eq!((runs.scenario.as_deref(), runs.seed), (Some("s1"), 7));
        assert_eq!((runs.policy, runs.course_us), (PolicyChoice::Fixed(2), Some(100_000)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("", "--scenario"),
            ("--scenario s1 --policy best", "best"),
            ("--scenario s1 --seed x", "x"),
            ("--colour", "colour"),
        ] {
            let problem = read(line).expect_err(line);
            assert!(problem.contains(named), "{line}: {problem}");
        }
    }
}
