// Where in the network the shift arises, and in which words: layers, heads, words and labels of the view.
import { make, number, percent, two } from "./dom.js";
import { change, state } from "./state.js";

function block(title, note, ...content) {
  return make("section", { class: "block" }, make("h3", { text: title }), note ? make("p", { class: "quiet", text: note }) : null, ...content);
}

function layerBlock(layers) {
  const known = layers.filter((one) => one !== null);
  const most = Math.max(...known.map((one) => 1 - one), 1e-6);
  const columns = layers.map((cosine, layer) => {
    const fill = make("span", { class: "fill" });
    fill.style.height = `${cosine === null ? 0 : Math.max(2, (100 * (1 - cosine)) / most)}%`;
    return make("span", { class: "layer", title: `layer ${layer}: cosine ${number(cosine)}` }, fill, make("span", { class: "place", text: String(layer) }));
  });
  const words = `1 − cosine of original and view after each layer: ${layers.map((one, layer) => `layer ${layer} ${number(one === null ? null : 1 - one)}`).join(", ")}`;
  return block("Layers", `How far original and view are apart after each layer; the highest is ${number(most)} (1 − cosine).`,
    make("div", { class: "layers", role: "img", "aria-label": words }, ...columns));
}

function isChosen(layer, head) {
  return state.layer === layer && state.head === head;
}

function headButton(share, layer, head, most) {
  const text = share === null ? "undefined" : percent(share);
  const button = make("button", {
    type: "button",
    class: share !== null && share < 0 ? "head against" : "head",
    "data-layer": layer,
    "data-head": head,
    tabindex: -1,
    title: `layer ${layer}, head ${head}: ${text}`,
    "aria-label": `layer ${layer}, head ${head}: ${text} of the shift`,
    "aria-pressed": String(isChosen(layer, head)),
    on: { click: () => change(isChosen(layer, head) ? { layer: null, head: null } : { layer, head }) },
  });
  button.style.setProperty("--share", String(share === null ? 0 : Math.min(Math.abs(share) / most, 1)));
  return button;
}

// One tab stop; arrow keys go from head to head.
function walk(event, grid) {
  const at = event.target.closest("button.head");
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!at || !by) return;
  event.preventDefault();
  event.stopPropagation();
  const to = grid.querySelector(`[data-layer="${Number(at.dataset.layer) + by[0]}"][data-head="${Number(at.dataset.head) + by[1]}"]`);
  if (!to) return;
  at.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

function headBlock(answer) {
  const first = answer.head_layer || 0;
  const flat = answer.heads.flatMap((row, layer) => row.map((share, head) => ({ share, layer: layer + first, head })));
  const most = Math.max(...flat.map((one) => Math.abs(one.share || 0)), 1e-6);
  const rows = answer.heads.map((row, layer) => make("div", { class: "head-row" },
    make("span", { class: "place", "aria-hidden": "true", text: String(layer + first) }),
    ...row.map((share, head) => headButton(share, layer + first, head, most))));
  const grid = make("div", { class: "heads", role: "group", "aria-label": "Heads: a row for each layer" }, ...rows);
  grid.addEventListener("keydown", (event) => walk(event, grid));
  (grid.querySelector("[aria-pressed=true]") || grid.querySelector("button")).tabIndex = 0;
  const top = [...flat].filter((one) => one.share !== null).sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, 3);
  const words = top.map((one) => `layer ${one.layer} head ${one.head}: ${percent(one.share)}`).join(" · ");
  const against = flat.some((one) => one.share !== null && one.share < 0);
  const others = (answer.others || []).map((one) => `${one.name} ${percent(one.share)}`).join(" · ");
  return block("Heads", `Share of the squared shift that each head makes${against ? "; in orange, heads that work against it" : ""}. Press one to see where it looks. Largest: ${words}.`, grid,
    others ? make("p", { class: "quiet", text: `Other parts: ${others}` }) : null);
}

function wordBlock(words) {
  const most = Math.max(...words.map((one) => Math.abs(one.weight)), 1e-6);
  const lines = words.map((one) => {
    const fill = make("span", { class: "fill" });
    fill.style.width = `${(100 * Math.abs(one.weight)) / most}%`;
    return make("li", { class: one.weight < 0 ? "away" : null }, make("span", { class: "word", text: one.word }), make("span", { class: "track small", "aria-hidden": "true" }, fill), make("span", { class: "value", text: two(one.weight) }));
  });
  return block("Words", "Words that the view moves towards (+) or away from (−).", make("ol", { class: "words" }, ...lines));
}

function labelBlock(labels) {
  const arrow = labels.flipped ? "became" : "stays";
  const words = labels.flipped ? [make("b", { text: labels.before }), ` ${arrow} `, make("b", { class: "flipped", text: labels.after })] : [make("b", { text: labels.before }), ` ${arrow} the nearest label.`];
  return block("Label", null, make("p", { class: "label" }, ...words));
}

function metricBlock(answer) {
  const known = new Map(state.run.metrics.map((one) => [one.name, one]));
  const rows = Object.entries(answer.metrics || {}).map(([name, value]) => {
    const one = known.get(name) || { label: name, unit: "" };
    return make("tr", {}, make("th", { scope: "row", text: one.unit && one.unit !== "1" ? `${one.label} (${one.unit})` : one.label }), make("td", { text: number(value) }));
  });
  return rows.length ? block("Metrics", null, make("table", {}, make("caption", { class: "unseen", text: "Metrics of this view" }), make("tbody", {}, ...rows))) : null;
}

function blocks(answer) {
  const first = [answer.labels && labelBlock(answer.labels), metricBlock(answer)].filter(Boolean);
  return [
    answer.layers && layerBlock(answer.layers),
    answer.heads && headBlock(answer),
    answer.words && answer.words.length ? wordBlock(answer.words) : null,
    first.length ? make("div", { class: "stack" }, ...first) : null,
  ].filter(Boolean);
}

export function showInside(place, answer, detailed) {
  place.classList.toggle("stale", !detailed);
  if (!detailed) return;
  const kept = document.activeElement && place.contains(document.activeElement) ? document.activeElement.dataset : null;
  place.replaceChildren(...blocks(answer));
  if (kept && kept.head !== undefined) {
    const again = place.querySelector(`[data-layer="${kept.layer}"][data-head="${kept.head}"]`);
    if (again) again.focus({ preventScroll: true });
  }
}
