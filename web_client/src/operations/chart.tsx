/** One chart of uPlot, and the same in words for who does not see it. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { words } from "../i18n";
import type { Sample } from "./model.generated";
import { chartsOf, summaryOf } from "./series";
import type { Chart, Unit } from "./series";

const HEIGHT = 190;
const CLOCK_WIDTH = 90;
const STROKES = ["#5cc8ff", "#ffc84a"];
/** Lines differ by dashes as well as by colour. */
const DASHES = [[], [6, 4]];
const INK = "#bccad8";
const GRID = "#2b3745";

function options(chart: Chart, width: number): uPlot.Options {
  const t = words.value.operations;
  const unit = chart.series[0]?.unit ?? "frames";
  const axis = { stroke: INK, grid: { stroke: GRID, width: 1 }, ticks: { stroke: GRID, width: 1 } };
  const said = (_: uPlot, value: number | null): string => (value === null ? "–" : t.units[unit](value));
  return {
    width, height: HEIGHT, cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least), Math.max(most * 1.1, FLOORS[unit])] } },
    axes: [
      { ...axis, space: CLOCK_WIDTH, values: (_, times) => times.map((time) => t.clock(time * 1_000)) },
      { ...axis, size: 90, values: (_, values) => values.map((value) => t.units[unit](value)) },
    ],
    series: [
      { label: t.moment, value: (_, time: number | null) => (time === null ? "–" : t.clock(time * 1_000)) },
      ...chart.series.map((s, i) => ({
        label: t.series[s.key], stroke: STROKES[i % STROKES.length] ?? INK, dash: DASHES[i % DASHES.length] ?? [], width: 2,
        spanGaps: false, value: said,
      })),
    ],
  };
}

/** The axis never magnifies noise: it reaches at least so far. */
const FLOORS: Record<Unit, number> = { bits: 100_000, ratio: 0.02, seconds: 0.05, frames: 10 };

const dataOf = (chart: Chart): uPlot.AlignedData => [chart.times, ...chart.series.map((s) => s.values)];

function ChartView({ chart }: { chart: Chart }) {
  const t = words.value.operations;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = `${words.value.code}:${chart.series.map((s) => s.key).join()}`;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(options(chart, element.clientWidth), dataOf(chart), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(dataOf(chart)), [chart]);
  const unit = t.units[chart.series[0]?.unit ?? "frames"];
  const said = chart.series.flatMap((s) => {
    const summary = summaryOf(s.values);
    return summary === null ? [] : [t.summary(t.series[s.key], unit(summary.last), unit(summary.least), unit(summary.most))];
  });
  return (
    <figure class="chart">
      <div ref={place} aria-hidden="true" />
      <figcaption>{said.map((line) => <p key={line}>{line}</p>)}</figcaption>
    </figure>
  );
}

interface ChartsProps {
  title: string;
  samples: readonly Sample[];
  publication: string | null;
}

/** A participant's charts, or those of one of their tracks. */
export function Charts({ title, samples, publication }: ChartsProps) {
  const charts = chartsOf(samples, publication);
  return (
    <section aria-labelledby="charts-title" class="charts">
      <h2 id="charts-title">{title}</h2>
      {charts.length === 0 && <p class="quiet">{words.value.operations.noSamples}</p>}
      {charts.map((chart) => <ChartView key={chart.series.map((s) => s.key).join()} chart={chart} />)}
    </section>
  );
}
