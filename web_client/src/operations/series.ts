/** Samples of a participant as columns for charts, and their summary for who cannot see a chart. */
import type { Sample } from "./model.generated";

export interface Series {
  key: SeriesKey;
  unit: Unit;
  values: (number | null)[];
}

export type Unit = "bits" | "ratio" | "seconds" | "frames";
export type SeriesKey =
  | "upRate" | "downRate" | "upLoss" | "downLoss" | "upRtt" | "downRtt" | "trackRate" | "trackFrames" | "trackLoss" | "trackDelay";

export interface Chart {
  /** Unix seconds, as uPlot wants them. */
  times: number[];
  series: Series[];
}

export const KEPT_MS = 10 * 60_000;
/** Longer than this between two samples is a gap, not a line. */
const GAP_SECONDS = 12;

type Read = (sample: Sample) => number | null | undefined;

function column(samples: readonly Sample[], read: Read): (number | null)[] {
  return samples.map((sample) => read(sample) ?? null);
}

/** One chart a unit: different units on one axis mislead. */
export function chartsOf(samples: readonly Sample[], publication: string | null): Chart[] {
  const found = publication === null ? legs(samples) : track(samples, publication);
  const units = [...new Set(found.map((s) => s.unit))];
  return units.map((unit) => withGaps({
    times: samples.map((s) => s.at_ms / 1_000), series: found.filter((s) => s.unit === unit),
  }));
}

function legs(samples: readonly Sample[]): Series[] {
  const all: Series[] = [
    { key: "upRate", unit: "bits", values: column(samples, (s) => s.up?.bits_per_second) },
    { key: "downRate", unit: "bits", values: column(samples, (s) => s.down?.bits_per_second) },
    { key: "upLoss", unit: "ratio", values: column(samples, (s) => s.up?.loss_before_ratio) },
    { key: "downLoss", unit: "ratio", values: column(samples, (s) => s.down?.loss_before_ratio) },
    { key: "upRtt", unit: "seconds", values: column(samples, (s) => s.up?.round_trip_seconds) },
    { key: "downRtt", unit: "seconds", values: column(samples, (s) => s.down?.round_trip_seconds) },
  ];
  return all.filter(({ values }) => values.some((value) => value !== null));
}

function track(samples: readonly Sample[], publication: string): Series[] {
  const source: (read: (s: NonNullable<Sample["sources"]>[number]) => number | null | undefined) => Read =
    (read) => (sample) => {
      const found = sample.sources?.find((s) => s.publication === publication);
      return found && read(found);
    };
  const view: (read: (v: NonNullable<Sample["views"]>[number]) => number | null | undefined) => Read =
    (read) => (sample) => {
      const found = sample.views?.find((v) => v.publication === publication);
      return found && read(found);
    };
  const sent = samples.some((s) => s.sources?.some((one) => one.publication === publication));
  const all: Series[] = sent
    ? [
        { key: "trackRate", unit: "bits", values: column(samples, source((s) => s.bits_per_second)) },
        { key: "trackFrames", unit: "frames", values: column(samples, source((s) => s.frames_per_second)) },
        { key: "trackLoss", unit: "ratio", values: column(samples, source((s) => s.loss_before_ratio)) },
      ]
    : [
        { key: "trackRate", unit: "bits", values: column(samples, view((v) => v.bits_per_second)) },
        { key: "trackFrames", unit: "frames", values: column(samples, view((v) => v.frames_per_second)) },
        { key: "trackLoss", unit: "ratio", values: column(samples, view((v) => v.loss_before_ratio)) },
        { key: "trackDelay", unit: "seconds", values: column(samples, view((v) => v.delay_seconds)) },
      ];
  return all.filter(({ values }) => values.some((value) => value !== null));
}

/** Puts an empty point into each gap: a line across it would tell of samples that nobody took. */
function withGaps({ times, series }: Chart): Chart {
  const kept: Chart = { times: [], series: series.map((s) => ({ ...s, values: [] })) };
  times.forEach((time, i) => {
    const before = times[i - 1];
    if (before !== undefined && time - before > GAP_SECONDS) {
      kept.times.push(before + 1);
      for (const s of kept.series) s.values.push(null);
    }
    kept.times.push(time);
    kept.series.forEach((s, n) => s.values.push(series[n]?.values[i] ?? null));
  });
  return kept;
}

/** What a chart says, in three numbers. */
export interface Summary {
  last: number;
  least: number;
  most: number;
}

export function summaryOf(values: readonly (number | null)[]): Summary | null {
  const known = values.filter((v) => v !== null);
  const last = known.at(-1);
  return last === undefined ? null : { last, least: Math.min(...known), most: Math.max(...known) };
}

/** New samples behind those held; each once, and none older than is shown. */
export function appended(held: readonly Sample[], fresh: readonly Sample[]): Sample[] {
  const last = held.at(-1)?.at_ms ?? -Infinity;
  const all = [...held, ...fresh.filter((s) => s.at_ms > last)];
  const oldest = (all.at(-1)?.at_ms ?? 0) - KEPT_MS;
  return all.filter((s) => s.at_ms >= oldest);
}
