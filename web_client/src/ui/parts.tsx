/** Small shared pieces: buttons with icon and word, the error card, quality in words and bars. */
import type { ComponentChildren } from "preact";
import { BARS } from "../client/quality";
import type { Level, Quality } from "../client/quality";
import { words } from "../i18n";
import type { Advice } from "../i18n";
import { Icon } from "./icons";
import type { IconName } from "./icons";

interface ButtonProps {
  icon: IconName;
  word: string;
  onPress: () => void;
  tone?: "plain" | "main" | "danger" | "on";
  pressed?: boolean;
  disabled?: boolean;
  /** Keeps the word for screen readers only, where the tile is small; the title shows it on hover as well. */
  compact?: boolean;
  hint?: string;
}

export function Button({ icon, word, onPress, tone = "plain", pressed, disabled, compact, hint }: ButtonProps) {
  return (
    <button
      type="button"
      class={`button ${tone}${compact ? " compact" : ""}`}
      aria-pressed={pressed}
      disabled={disabled}
      title={hint ?? (compact ? word : undefined)}
      onClick={(event) => {
        // After a press by pointer the space bar must mean "talk" again, not "press this button once more".
        if (event.detail > 0) event.currentTarget.blur();
        onPress();
      }}
    >
      <Icon name={icon} />
      <span class="word">{word}</span>
    </button>
  );
}

export function ErrorCard({ advice, code, children }: { advice: Advice; code?: string; children?: ComponentChildren }) {
  return (
    <section class="card error" role="alert">
      <h2>
        <Icon name="warning" /> {advice.title}
      </h2>
      <ol>
        {advice.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      {children && <div class="actions">{children}</div>}
      {code && <p class="code">{words.value.errorCode(code)}</p>}
    </section>
  );
}

export function Bars({ level }: { level: Level }) {
  return (
    <span class="bars" aria-hidden="true">
      {[1, 2, 3, 4].map((bar) => (
        <i key={bar} class={bar <= BARS[level] ? "on" : ""} />
      ))}
    </span>
  );
}

export function QualityView({ quality, label }: { quality: Quality; label?: string }) {
  const t = words.value;
  const text = t.quality(t.levels[quality.level], quality.cause === null ? null : t.causes[quality.cause]);
  return (
    <span class="quality" data-level={quality.level} title={label}>
      {quality.level !== "present" && <Bars level={quality.level} />}
      {label && <span class="visually-hidden">{label}: </span>}
      <span class="quality-word">{text}</span>
    </span>
  );
}
