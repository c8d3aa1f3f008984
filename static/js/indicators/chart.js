// A chart over periods, by uPlot; the table beside it says the same.
import uPlot from "../../vendor/uplot/uPlot.js";
import { element } from "../element.js";

const HEIGHT = 280;
const css = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class PeriodChart {
  constructor() {
    this.box = element("div", { className: "chart" });
    this.box.setAttribute("aria-hidden", "true");
    /** @type {uPlot | null} */
    this.plot = null;
    new ResizeObserver(() => this.plot?.setSize({ width: this.width(), height: HEIGHT })).observe(this.box);
  }

  width() {
    return Math.max(280, this.box.clientWidth);
  }

  /**
   * @param {string} name of the kind of period
   * @param {string[]} names of the periods
   * @param {{ name: string, values: (number | null)[], isBar?: boolean }[]} series
   * @param {(value: number | null) => string} write
   */
  show(name, names, series, write) {
    this.plot?.destroy();
    const paints = ["--blue", "--amber-ink", "--quiet"];
    const bars = uPlot.paths.bars?.({ size: [0.7, 48] });
    this.plot = new uPlot(
      {
        width: this.width(),
        height: HEIGHT,
        scales: { x: { time: false, range: (_, least, most) => [least - 0.6, most + 0.6] }, y: { range: rangeOf } },
        axes: [
          {
            stroke: () => css("--ink"),
            grid: { show: false },
            ticks: { stroke: () => css("--line") },
            values: (_, at) => at.map(one => (Number.isInteger(one) ? (names[one] ?? "") : "")),
            space: 72,
          },
          {
            stroke: () => css("--ink"),
            grid: { stroke: () => css("--line") },
            ticks: { stroke: () => css("--line") },
            values: (_, at) => at.map(one => write(one)),
            size: 84,
          },
        ],
        series: [
          { label: name, value: (_, at) => (at === null ? "" : (names[at] ?? "")) },
          ...series.map(({ name: label, isBar }, number) => ({
            label,
            stroke: () => css(paints[number]),
            fill: isBar ? () => css(paints[number]) : undefined,
            width: isBar ? 0 : 2,
            dash: number ? [6, 4] : undefined,
            paths: isBar ? bars : undefined,
            points: { show: !isBar, size: 6 },
            value: (/** @type {uPlot} */ _, /** @type {number | null} */ one) => write(one),
          })),
        ],
      },
      [names.map((_, at) => at), ...series.map(one => one.values)],
      this.box,
    );
  }

  /** Draws again, in the colours of now. */
  redraw() {
    this.plot?.redraw(false, true);
  }
}

/** From nothing, or from what is below it, to a little above the greatest. @type {uPlot.Range.Function} */
const rangeOf = (_, least, most) => [Math.min(0, least ?? 0), Math.max(most ?? 0, least ?? 0) * 1.08 || 1];
