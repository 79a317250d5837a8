//! What the sound was like: concealment and delay.

use super::link::percent;
use super::statistics::percentile;
use super::{View, Window};

/// Sound of one packet, seconds.
const PACKET: f64 = 0.02;

/// Figures over a window, of all lines with sound.
pub(super) fn figures(view: &View<'_>, window: Window, put: &mut dyn FnMut(&str, Option<f64>)) {
    let (mut concealed, mut all, mut events, mut longest) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut delays = Vec::new();
    for sound in view.sounds() {
        let mut run = 0;
        for turn in sound.turns.iter().filter(|turn| window.holds(turn.at)) {
            all += 1;
            if turn.concealed {
                concealed += 1;
                events += u32::from(run == 0);
                run += 1;
                longest = longest.max(run);
            } else {
                run = 0;
                delays.push(turn.at.since(turn.capture).as_secs_f64() * 1e3);
            }
        }
    }
    put("concealment_percent", percent(f64::from(concealed), f64::from(all)));
    if all > 0 {
        put("concealed_longest_s", Some(f64::from(longest) * PACKET));
        put("concealments_per_minute", Some(f64::from(events) * 60.0 / window.length()));
    }
    for percent in [50.0, 95.0, 99.0] {
        put(&format!("audio_delay_p{percent}_ms"), percentile(&delays, percent));
    }
}
