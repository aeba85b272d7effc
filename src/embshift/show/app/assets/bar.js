// The relative shift as a true bar: 1 is the original's mean distance to another image.
import { make, number, two } from "./dom.js";
import { isDark } from "./theme.js";

export const colourOf = (transform) => transform.colour[isDark() ? "dark" : "light"];

export function dot(transform) {
  const element = make("span", { class: "dot", "aria-hidden": "true" });
  element.style.backgroundColor = colourOf(transform);
  return element;
}

const LEAST_SCALE = 1.25;

// Without `average` the transform's own mean is left out: it is that of the first run.
export function makeBar({ average = true } = {}) {
  const fill = make("div", { class: "fill" });
  const mean = make("div", { class: "mean" });
  const one = make("div", { class: "one" });
  const track = make("div", { class: "track", role: "img" }, fill, mean, one);
  const label = make("span", { class: "one-label", text: "1: another image" });
  const legend = make("div", { class: "bar-legend", "aria-hidden": "true" }, make("span", { text: "0" }), label);
  const words = make("p", { class: "bar-words" });
  const element = make("div", { class: "bar" }, track, legend, words);

  // `most`: the largest value of all bars that stand side by side, so that they share a scale.
  function show(value, transform, most = value) {
    const known = value !== null && value !== undefined;
    const own = average ? transform.relative_shift : null;
    const scale = Math.max(LEAST_SCALE, 1.08 * (most || 0), 1.08 * (own || 0));
    fill.style.width = `${known ? (100 * value) / scale : 0}%`;
    fill.style.backgroundColor = colourOf(transform);
    one.style.left = `${100 / scale}%`;
    label.style.left = `${100 / scale}%`;
    mean.hidden = own === null;
    mean.style.left = `${(100 * (own || 0)) / scale}%`;
    const beside = own === null ? "" : ` · ▾ average of ${transform.name}, as recorded: ${two(own)}`;
    words.textContent = known ? `Relative shift ${number(value)}${beside}` : `The relative shift is undefined${beside}`;
    track.setAttribute("aria-label", `${words.textContent}. 1 is the original's mean distance to another image.`);
  }

  return { element, show };
}

// A small bar for lists, on a scale from 0 to 1.25.
export function smallBar(value, transform) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${Math.min(100, (100 * (value || 0)) / LEAST_SCALE)}%`;
  fill.style.backgroundColor = colourOf(transform);
  const one = make("span", { class: "one" });
  one.style.left = `${100 / LEAST_SCALE}%`;
  return make("span", { class: "track small", "aria-hidden": "true" }, fill, one);
}
