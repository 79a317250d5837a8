/** Alerts on the page, with a bell for who looks elsewhere. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import { StateBadge } from "./badge";
import { heardAs, unheard } from "./bell";
import type { Desk } from "./desk";
import { select } from "./place";

/** Browsers give sound only after a press, so it is off until then. */
const bell = signal<AudioContext | null>(null);

function toggle(): void {
  const context = bell.value;
  bell.value = context === null ? new AudioContext() : null;
  if (context === null) ring();
  else void context.close();
}

/** Two short tones, as no device in a theatre makes them. */
function ring(): void {
  const context = bell.value;
  if (context === null) return;
  [660, 880].forEach((frequency, i) => {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const begin = context.currentTime + i * 0.25;
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.2, begin);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.22);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.24);
  });
}

export function AlertBar({ desk }: { desk: Desk }) {
  const heard = useRef(new Set<string>());
  const alerts = desk.alerts.value;
  useEffect(() => {
    const fresh = unheard(heard.current, alerts);
    for (const alert of fresh) heard.current.add(heardAs(alert));
    if (fresh.length > 0) ring();
  }, [alerts]);
  if (alerts.length === 0) return null;
  return (
    <div class="alerts" role="log" aria-live="polite" aria-label={words.value.operations.alerts(alerts.length)}>
      <ul>
        {alerts.map((alert) => (
          <li key={alert.id} data-severity={alert.severity}>
            <StateBadge state={alert.severity} />
            <span>
              <strong>{alert.cause.title[language.value]}</strong>{" "}
              {alert.clinical_class !== null && words.value.operations.classes[alert.clinical_class]}
              <span class="alert-action"> · {alert.cause.action[language.value]}</span>
            </span>
            {alert.room !== null && (
              <button type="button" class="button" onClick={() => select({ room: alert.room })}>
                {words.value.roomName(alert.room)}
              </button>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function BellButton() {
  const t = words.value.operations;
  const on = bell.value !== null;
  return <Button icon={on ? "speaker" : "speakerOff"} word={on ? t.bellOn : t.bellOff} pressed={on} onPress={toggle} />;
}
