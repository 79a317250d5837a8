//! The scenarios that come with the program: all can be played, every goal speaks of a figure that is taken, and a seed
//! gives the same run byte for byte.

use std::collections::BTreeSet;

use loupe_adaptation::metrics::{compare, measure};
use loupe_adaptation::policy::{Fixed, Greedy};
use loupe_adaptation::report::report;
use loupe_adaptation::run::Run;
use loupe_adaptation::scenario::{Moments, Scenario, library};

/// Traces lie beside the repository; what wants a missing one is named and left out.
fn is_here(scenario: &Scenario) -> bool {
    let missing: Vec<String> =
        scenario.files().into_iter().filter(|file| library::read(file).is_err()).collect();
    if !missing.is_empty() {
        eprintln!("left out: {} needs {}", scenario.name, missing.join(", "));
    }
    missing.is_empty()
}

#[test]
fn all_can_be_played_and_nothing_is_refused() {
    let all = library::all();
    assert!(all.len() > 40);
    for mut scenario in all.into_iter().filter(is_here) {
        scenario.duration_s = 6.0;
        scenario.settle_s = 1.0;
        let run = Run::complete(&scenario, 1, &mut Greedy).unwrap_or_else(|problem| panic!("{problem}"));
        for peer in &run.world.peers {
            assert_eq!(peer.refused(), 0, "{}", scenario.name);
        }
        assert!(!measure(&run).is_empty(), "{}", scenario.name);
    }
}

/// Scenarios that between them have every kind of figure.
const KINDS: [&str; 7] = ["s1", "s3/a", "s6/cubic-300", "s7", "s8/1", "s12/priority", "rfc8867-6.1/flows"];
/// Figures that are there only when something happened: an estimate was told, a target found, a rate reached.
const CONDITIONAL: [&str; 7] = [
    "estimate_mean_kbps",
    "estimate_min_kbps",
    "estimate_to_control",
    "target_convergence_s",
    "recovery_s",
    "resumed_s",
    "convergence_s",
];

#[test]
fn every_goal_speaks_of_a_figure_that_is_taken() {
    let mut taken: BTreeSet<String> = CONDITIONAL.map(str::to_owned).into();
    for name in KINDS {
        let scenario = library::find(name).remove(0);
        let run = Run::complete(&scenario, 1, &mut Fixed(0)).expect("plays");
        let mut metrics = measure(&run);
        if let Some(control) = scenario.control.as_deref() {
            let control = Run::complete(control, 1, &mut Fixed(0)).expect("plays");
            compare(&run, &mut metrics, &control, &measure(&control));
        }
        let names = metrics.values().flat_map(|figures| figures.keys());
        taken.extend(names.map(|name| name.split('@').next().unwrap_or_default().to_owned()));
    }
    for scenario in library::all() {
        let people = scenario
            .subscribers
            .iter()
            .map(|it| &it.name)
            .chain(scenario.publishers.iter().map(|it| &it.name));
        let people: BTreeSet<&str> =
            people.map(String::as_str).chain(["subscribers", "all", "tcp"]).collect();
        for goal in &scenario.goals {
            let mut parts = goal.metric.split('@');
            let (metric, named) = (parts.next().unwrap_or_default(), parts.next());
            assert!(taken.contains(metric), "{}: no figure {metric}", scenario.name);
            assert!(people.contains(goal.of.as_str()), "{}: nobody is {}", scenario.name, goal.of);
            let known =
                |name: &str| scenario.windows.contains_key(name) || scenario.moments.contains_key(name);
            assert!(named.is_none_or(|name| name == "join" || known(name)), "{}: {named:?}", scenario.name);
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_byte_for_byte() {
    for name in ["s1", "s5/ge10x3", "s6/cubic-300", "s7", "s11/stalls"] {
        let mut scenario = library::find(name).remove(0);
        scenario.duration_s = 8.0;
        let text = |seed| {
            let run = Run::complete(&scenario, seed, &mut Greedy).expect("plays");
            let logs: Vec<String> = run
                .links
                .values()
                .filter_map(|link| run.world.net.link(*link)?.log.map(loupe_netem::Log::to_csv))
                .collect();
            (logs, report(&run, &measure(&run), Some(100_000)).to_string())
        };
        assert!(text(1).0.iter().any(|log| log.lines().count() > 500), "{name}");
        assert_eq!(text(1), text(1), "{name}");
        assert_ne!(text(1).0, text(2).0, "{name}");
    }
}

#[test]
fn who_has_a_bad_link_takes_nothing_from_who_has_a_good_one() {
    let scenario = library::find("s8/1").remove(0);
    let run = Run::complete(&scenario, 1, &mut Fixed(1)).expect("plays");
    let control =
        Run::complete(scenario.control.as_deref().expect("has one"), 1, &mut Fixed(1)).expect("plays");
    let mut metrics = measure(&run);
    compare(&run, &mut metrics, &control, &measure(&control));
    let good = &metrics["good"];
    assert!(good["forwarded_differently"] < 0.5);
    assert!(good["freeze_percent_over_control"].abs() < 1e-9);
    assert!(metrics["bad-0"]["freeze_percent"] > 10.0 && good["shown_fps"] > 24.0, "the bad link is bad");
}

#[test]
fn repeated_moments_end_with_the_run() {
    let every = Moments::Every { from: 17.0, every: 20.0 };
    assert_eq!(every.before(60.0), [17.0, 37.0, 57.0]);
    assert_eq!(Moments::Several(vec![5.0, 70.0]).before(60.0), [5.0]);
    assert!(Moments::One(60.0).before(60.0).is_empty());
}
