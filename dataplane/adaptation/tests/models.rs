//! The models of publishers and subscribers against what is known to be true of a link: nothing is lost or late on a good
//! one, and what a bad one does shows in the figures that are meant to show it.

use std::collections::BTreeMap;

use loupe_adaptation::metrics::{Metrics, measure};
use loupe_adaptation::policy::{Decided, Fixed, Policy, Situation, Wanted};
use loupe_adaptation::run::Run;
use loupe_adaptation::scenario::Scenario;

fn scenario(duration_s: f64, down: &str, more: &str) -> Scenario {
    let text = format!(
        r#"{{"about": "a test", "duration_s": {duration_s}, "settle_s": 3,
            "links": {{"down": {{{down}}}, "up": {{"delay-ms": 20}}}},
            "subscribers": [{{"name": "viewer", "down": ["down"], "up": ["up"]}}]{more}}}"#
    );
    Scenario::parse("test", &text).expect("well formed").remove(0)
}

fn play(scenario: &Scenario, seed: u64, policy: &mut dyn Policy) -> Metrics {
    measure(&Run::complete(scenario, seed, policy).expect("runs"))
}

fn figure(metrics: &Metrics, name: &str) -> f64 {
    metrics["viewer"].get(name).copied().unwrap_or_else(|| panic!("no {name} in {metrics:?}"))
}

const GOOD: &str = r#""rate": 10000, "delay-ms": 20, "queue-ms": 300"#;

#[test]
fn a_good_link_shows_everything_in_time() {
    let metrics = play(&scenario(20.0, GOOD, ""), 1, &mut Fixed(2));
    for (name, least, most) in [
        ("freeze_percent", 0.0, 0.0),
        ("pauses", 0.0, 0.0),
        ("concealment_percent", 0.0, 0.0),
        ("residual_loss_percent", 0.0, 0.0),
        ("missing_percent", 0.0, 0.0),
        ("overhead_percent", 0.0, 0.0),
        ("corrupted_pictures", 0.0, 0.0),
        ("plis_per_minute", 0.0, 0.0),
        ("top_layer_percent", 99.0, 100.1),
        ("ladder_efficiency", 0.99, 1.01),
        // 25 frames a second whose intervals deviate by 0.15 (Laplacian, variance 0.045): 25 / 1.045.
        ("harmonic_fps", 23.2, 24.6),
        ("shown_fps", 24.5, 25.5),
        // 5 ms to the plane and 20 ms from it; the publisher spreads a capture's packets over some 20 ms.
        ("frame_delay_p50_ms", 25.0, 70.0),
        ("audio_delay_p50_ms", 25.0, 47.0),
        // 1,700 kbit/s in 8 packets of 72 bytes around a frame, and 53 of sound.
        ("sent_kbps", 1_800.0, 1_960.0),
        ("first_frame_s", 0.04, 0.4),
        ("audio_mos", 4.3, 4.45),
        ("picture_score", 0.9, 1.0),
    ] {
        let value = figure(&metrics, name);
        assert!((least..=most).contains(&value), "{name}: {value}");
    }
}

#[test]
fn too_high_a_layer_on_a_thin_link_costs_its_picture_and_nothing_else() {
    let thin = scenario(30.0, r#""rate": 300, "delay-ms": 20, "queue-ms": 600"#, "");
    let (low, high) = (play(&thin, 1, &mut Fixed(0)), play(&thin, 1, &mut Fixed(2)));
    // What does not fit waits in the plane until it is stale, and not in the link.
    assert!(figure(&low, "queue_p95_ms") < 80.0 && figure(&high, "queue_p95_ms") < 100.0);
    for metrics in [&low, &high] {
        assert!(figure(metrics, "lost_percent") < 0.1 && figure(metrics, "late_bytes_percent") < 0.1);
        assert!(figure(metrics, "concealment_percent") < 1.0, "sound does not suffer");
    }
    assert!((figure(&low, "ladder_efficiency") - 1.0).abs() < 0.05);
    assert!(figure(&low, "shown_fps") > 24.0 && figure(&high, "shown_fps") < 5.0);
    assert!(figure(&high, "plis_per_minute") > 30.0, "a decoder that stands still asks for key frames");
}

#[test]
fn loss_is_repaired_by_requests_and_costs_what_was_lost() {
    let lossy = scenario(40.0, &format!(r#"{GOOD}, "loss": "iid:2%""#), "");
    let metrics = play(&lossy, 3, &mut Fixed(1));
    assert!((figure(&metrics, "lost_percent") - 2.0).abs() < 0.8);
    assert!(figure(&metrics, "residual_loss_percent") < 0.2);
    assert!((1.0..4.0).contains(&figure(&metrics, "overhead_percent")));
    assert!((0.9..1.5).contains(&figure(&metrics, "nacks_per_loss")));
    assert!(figure(&metrics, "concealment_percent") < 0.5);
    for (redundancy, concealed) in [(false, 1.2..3.0), (true, 0.0..0.8)] {
        let viewer = format!(
            r#", "publishers": [{{"name": "theatre", "audio_kbps": 24}}], "subscribers": [{{"name": "viewer",
            "down": ["down"], "up": ["up"], "audio_nack": false, "audio_redundancy": {redundancy}}}]"#
        );
        let deaf = scenario(40.0, &format!(r#"{GOOD}, "loss": "iid:2%""#), "").with(&viewer);
        let found = figure(&play(&deaf, 3, &mut Fixed(1)), "concealment_percent");
        assert!(concealed.contains(&found), "{found} % with redundancy: {redundancy}");
    }
}

/// Another layer every two seconds.
struct Restless;

impl Policy for Restless {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        let layer = [2, 0, 1, 0, 2, 1][(situation.t_us / 2_000_000) as usize % 6];
        Ok(wish(situation, layer, false))
    }
}

/// The right layer, 100 ms after the link fell to 300 kbit/s at 20 s and after it rose again at 40 s.
struct Informed;

impl Policy for Informed {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        let low = (20_100_000..40_100_000).contains(&situation.t_us);
        Ok(wish(situation, if low { 0 } else { 2 }, false))
    }
}

/// Nothing from the tenth to the twentieth second.
struct Pausing;

impl Policy for Pausing {
    fn decide(&mut self, situation: &Situation) -> Result<Decided, String> {
        Ok(wish(situation, 1, (10_000_000..20_000_000).contains(&situation.t_us)))
    }
}

fn wish(situation: &Situation, layer: u8, paused: bool) -> Decided {
    let video = |id| situation.publications.iter().any(|it| it.id == id && it.kind == "video");
    let videos = situation.subscriptions.iter().filter(|it| video(it.publication));
    videos.map(|it| Wanted { paused, ..Wanted::layer(it.id, layer) }).collect::<Vec<_>>().into()
}

#[test]
fn a_decoder_never_sees_a_seam_between_layers() {
    for (seed, loss) in [(1, "none"), (2, "iid:3%"), (3, "ge2x4")] {
        let scenario = scenario(60.0, &format!(r#"{GOOD}, "loss": "{loss}""#), "");
        let metrics = play(&scenario, seed, &mut Restless);
        assert!(figure(&metrics, "corrupted_pictures") < 0.5, "seed {seed}: {metrics:?}");
        let switches = figure(&metrics, "ups_per_minute") + figure(&metrics, "downs_per_minute");
        assert!((26.0..=32.0).contains(&switches), "{switches}");
        assert!(figure(&metrics, "shown_fps") > 23.0, "seed {seed}");
    }
}

#[test]
fn who_knows_the_link_reacts_in_the_time_that_it_takes() {
    let down = r#""steps": "0:2500,20:300,40:2500", "delay-ms": 20, "queue-ms": 300"#;
    let moments = r#", "moments": {"fall": 20, "rise": 40}"#;
    let step = scenario(60.0, down, moments);
    let (informed, fixed) = (play(&step, 1, &mut Informed), play(&step, 1, &mut Fixed(2)));
    for (name, least, most) in [
        // The oracle leaves the second temporal layer out until the queue has drained.
        ("convergence_s@fall", 0.1, 1.0),
        ("convergence_s@rise", 0.1, 0.6),
        ("recovery_s@rise", 0.1, 0.6),
        // 0.1 s of 1.9 Mbit/s fill the queue of 300 ms; 84 of 300 kbit/s are left to drain it.
        ("drain_s@fall", 0.5, 2.0),
        ("ladder_efficiency", 0.98, 1.02),
        ("late_bytes_percent", 0.0, 0.1),
    ] {
        let value = figure(&informed, name);
        assert!((least..=most).contains(&value), "{name}: {value}");
    }
    let converges = fixed["viewer"].get("convergence_s@fall");
    assert!(converges.is_none_or(|seconds| *seconds > 15.0), "nobody chose the right layer");
    assert!(figure(&fixed, "drain_s@fall") < 5.0, "the plane drains the queue all the same");
}

#[test]
fn an_announced_pause_is_no_freeze() {
    let metrics = play(&scenario(40.0, GOOD, ""), 1, &mut Pausing);
    assert!(figure(&metrics, "freezes") < 0.5 && figure(&metrics, "pauses") < 0.5);
    // 27 of 37 s.
    assert!((16.0..20.5).contains(&figure(&metrics, "shown_fps")));
    assert!(figure(&metrics, "concealment_percent") < 0.1, "sound goes on");
}

#[test]
fn an_outage_is_a_pause_that_nobody_announced() {
    let dead = scenario(40.0, r#""steps": "0:5000,15:0,22:5000", "delay-ms": 20, "queue-bytes": 64000"#, "");
    let metrics = play(&dead, 1, &mut Fixed(0));
    assert!((figure(&metrics, "pauses") - 1.0).abs() < 0.1);
    // 7 of 37 s of sound.
    assert!((17.0..21.0).contains(&figure(&metrics, "concealment_percent")));
}

#[test]
fn spatial_layers_of_one_source_are_decoded_together() {
    let svc = scenario(20.0, GOOD, r#", "publishers": [{"name": "theatre", "layering": "svc"}]"#);
    let metrics = play(&svc, 1, &mut Fixed(0));
    assert!(figure(&metrics, "corrupted_pictures") < 0.5);
    assert!(figure(&metrics, "shown_fps") > 24.5 && figure(&metrics, "freeze_percent") < 0.1);
}

#[test]
fn shares_of_a_link_add_up() {
    let shared = r#", "cross": [{"kind": "tcp", "name": "tcp", "congestion": "cubic", "link": "down", "back": "up"},
        {"kind": "udp", "name": "udp", "link": "down", "kbps": 500}]"#;
    let metrics =
        play(&scenario(30.0, r#""rate": 3000, "delay-ms": 20, "queue-ms": 100"#, shared), 1, &mut Fixed(1));
    let (own, tcp) = (figure(&metrics, "share"), metrics["tcp"]["share"]);
    let constant = 500.0 / 3_000.0;
    assert!((own + tcp + constant - 1.0).abs() < 0.02, "{own} + {tcp} + {constant}");
    assert!(tcp > 0.4);
}

#[test]
fn feedback_keeps_within_its_share() {
    for layer in [0, 1, 2] {
        let metrics = play(&scenario(20.0, GOOD, ""), 1, &mut Fixed(layer));
        let share = figure(&metrics, "feedback_percent");
        assert!((0.3..5.0).contains(&share), "layer {layer}: {share} %");
    }
}

/// Scenario texts that differ in a few fields.
trait With {
    fn with(self, fields: &str) -> Scenario;
}

impl With for Scenario {
    fn with(self, fields: &str) -> Scenario {
        let text = format!(
            r#"{{"about": "x", "duration_s": {}, "links": {{"down": {}, "up": {{"delay-ms": 20}}}}{fields}}}"#,
            self.duration_s,
            words(&self.links["down"]),
        );
        Scenario::parse("test", &text).expect("well formed").remove(0)
    }
}

fn words(link: &BTreeMap<String, serde_json::Value>) -> String {
    serde_json::to_string(link).expect("plain values")
}
