// The page Map: originals on a plane, and an arrow from each to its view.
import { askPacked } from "./api.js";
import { colourOf, makeBar } from "./bar.js";
import { byId, choice, count, make, percent, say } from "./dom.js";
import { bounds, drawAll, drawOne, lens, prepare } from "./plane.js";
import { saveMap } from "./save.js";
import { change, chooseTransform, chosenTransform, onChange, openImage, state } from "./state.js";
import { onTheme } from "./theme.js";
import { thumb } from "./thumbs.js";

const NEAR = 28; // CSS pixels from the pointer within which a point is taken
const PLANES = [["images", "plane of the images"], ["own", "plane of this transform"]];
const base = make("canvas", { class: "base" });
const over = make("canvas", { class: "over", role: "img", tabindex: 0, "aria-describedby": "map-text" });
const tip = make("div", { class: "tip", hidden: true, "aria-hidden": "true" });
const name = make("h2", {});
const part = make("p", { class: "sentence" });
const bar = makeBar();
const pictures = make("div", { class: "pair" });
const open = make("button", { type: "button", text: "Open in Look" });
const saved = make("p", { class: "quiet", role: "status" });
const select = make("select", { id: "map-transform" });
let data = null; // what the plane shows
let asked = "";
let chosen = null; // place in the arrays
let zoom = { scale: 1, x: 0, y: 0 };
let plane;

function read(packed) {
  const arrays = {};
  for (const one of packed.head.arrays) {
    const size = one.shape.reduce((a, b) => a * b, 1);
    arrays[one.name] = new Float32Array(packed.at(one.offset, 4 * size));
  }
  const order = packed.head.shifts.map((_, at) => at).sort((a, b) => (packed.head.shifts[b] ?? -1) - (packed.head.shifts[a] ?? -1));
  return { ...packed.head, arrays, order, bounds: bounds(arrays) };
}

async function load() {
  const wanted = `${state.transform}\n${state.plane}`;
  if (asked === wanted) return draw();
  asked = wanted;
  byId("map-plane").setAttribute("aria-busy", "true");
  const query = new URLSearchParams({ transform: state.transform, plane: state.plane, encoder: "0" });
  try {
    const found = read(await askPacked(`/api/projection?${query}`));
    if (asked !== wanted) return;
    data = found;
    const again = data.row_ids.indexOf(state.image);
    zoom = { scale: 1, x: 0, y: 0 };
    say(byId("map-problem"), "");
    words();
    draw();
    choose(again >= 0 ? again : data.order[0] ?? null);
  } catch (problem) {
    if (asked !== wanted) return;
    asked = "";
    say(byId("map-problem"), problem.message);
  } finally {
    byId("map-plane").setAttribute("aria-busy", "false");
  }
}

const share = (value) => (value === null ? "an undefined share" : percent(value));

function words() {
  const which = state.plane === "own" ? `the two directions in which ${state.transform} moves the images most` : "the two directions in which the originals differ most";
  byId("map-text").textContent = `${count(data.rows, "image", "images")}: a dot is an original, its arrow ends at the view under ${state.transform}. ` +
    `This plane shows ${which}: ${share(data.variance)} of the originals' variance and ${share(data.shown)} of the squared shift. True lengths are in the bar.`;
  over.setAttribute("aria-label", `Map of ${count(data.rows, "image", "images")} under ${state.transform}; J and K go from image to image, Enter opens it`);
}

const size = () => [base.clientWidth, base.clientHeight];

function draw() {
  if (!data || state.page !== "map" || !base.clientWidth) return;
  drawAll(prepare(base, size()), { data, at: lens(data, zoom, size()), colour: colourOf(chosenTransform()) });
  highlight();
}

function highlight() {
  if (!data) return;
  const context = prepare(over, size());
  if (chosen !== null) drawOne(context, { data, at: lens(data, zoom, size()), place: chosen });
}

function describe() {
  const row = data.row_ids[chosen];
  const shown = data.arrays.shown ? data.arrays.shown[chosen] : data.shown;
  name.textContent = data.names ? data.names[chosen] : `image ${row}`;
  part.textContent = Number.isFinite(shown) ? `This arrow shows ${percent(shown)} of the move.` : "This image has no move to show.";
  bar.show(data.shifts[chosen], chosenTransform());
  pictures.replaceChildren(thumb(row, { side: 160, alt: "original" }), thumb(row, { transform: state.transform, side: 160, alt: `view: ${state.transform}` }));
}

function choose(place) {
  if (place === chosen && data && place !== null && name.textContent) highlight();
  chosen = place;
  for (const one of [name, part, bar.element, pictures, open]) one.hidden = place === null;
  highlight();
  if (place !== null) describe();
}

function hover(event) {
  if (!data) return;
  const place = nearest(event);
  if (place === null) {
    tip.hidden = true;
    return;
  }
  if (place !== chosen) choose(place);
  showTip(place);
}

function nearest(event) {
  const box = over.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const at = lens(data, zoom, size());
  let [best, least] = [null, NEAR];
  for (let row = 0; row < data.rows; row += 1) {
    for (const points of [data.arrays.originals, data.arrays.views]) {
      const [px, py] = at(points, row);
      const far = Math.hypot(px - x, py - y);
      if (far < least) [best, least] = [row, far];
    }
  }
  return best;
}

function showTip(place) {
  if (tip.dataset.place !== String(place) || tip.dataset.of !== asked) {
    tip.dataset.place = place;
    tip.dataset.of = asked;
    const row = data.row_ids[place];
    tip.replaceChildren(thumb(row, { side: 160 }), thumb(row, { transform: state.transform, side: 160 }));
  }
  const [x, y] = lens(data, zoom, size())(data.arrays.originals, place);
  const [width, height] = size();
  tip.hidden = false;
  tip.style.left = `${Math.min(Math.max(x + 14, 4), width - 158)}px`;
  tip.style.top = `${y > height - 110 ? y - 92 : y + 14}px`;
}

// J and K go from image to image in the order of their shift.
export function stepMap(step) {
  if (!data || !data.rows) return;
  const at = chosen === null ? -1 : data.order.indexOf(chosen);
  choose(data.order[Math.min(Math.max(at + step, 0), data.rows - 1)]);
}

export function openChosen() {
  if (data && chosen !== null) openImage(data.row_ids[chosen], state.transform);
}

function zoomBy(factor, centre = [base.clientWidth / 2, base.clientHeight / 2]) {
  const scale = Math.min(Math.max(zoom.scale * factor, 1), 60);
  const real = scale / zoom.scale;
  const [dx, dy] = [centre[0] - base.clientWidth / 2, centre[1] - base.clientHeight / 2];
  zoom = scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: dx - (dx - zoom.x) * real, y: dy - (dy - zoom.y) * real };
  tip.hidden = true;
  requestAnimationFrame(draw);
}

function drag(start) {
  const from = { ...zoom };
  let moved = false;
  const move = (event) => {
    moved = moved || Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > 4;
    if (!moved || zoom.scale === 1) return;
    zoom = { scale: from.scale, x: from.x + event.clientX - start.clientX, y: from.y + event.clientY - start.clientY };
    requestAnimationFrame(draw);
  };
  const stop = (event) => {
    over.removeEventListener("pointermove", move);
    if (!moved && event.type === "pointerup") {
      const place = nearest(event);
      if (place !== null && event.pointerType === "mouse") openImage(data.row_ids[place], state.transform);
      else if (place !== null) choose(place);
    }
  };
  over.addEventListener("pointermove", move);
  over.addEventListener("pointerup", stop, { once: true });
  over.addEventListener("pointercancel", stop, { once: true });
}

async function save() {
  try {
    say(saved, `Saved as ${await saveMap({ layers: [base, over], words: byId("map-text").textContent })}.`);
  } catch (problem) {
    say(saved, `Not saved: ${problem.message}`);
  }
}

function listen() {
  over.addEventListener("pointermove", (event) => event.pointerType === "mouse" && hover(event));
  over.addEventListener("pointerleave", () => { tip.hidden = true; });
  over.addEventListener("pointerdown", (event) => data && drag(event));
  over.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && zoom.scale === 1 && event.deltaY > 0) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    zoomBy(event.deltaY < 0 ? 1.25 : 0.8, [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });
  over.addEventListener("keydown", (event) => event.key === "Enter" && openChosen());
  open.addEventListener("click", openChosen);
}

export function startMap() {
  for (const [at, one] of state.run.transforms.entries()) select.append(make("option", { value: at, text: one.name }));
  select.addEventListener("change", () => chooseTransform(state.run.transforms[Number(select.value)].name));
  plane = choice("Plane", PLANES, (kind) => change({ plane: kind }));
  const buttons = make("div", { class: "buttons" },
    make("button", { type: "button", text: "+", "aria-label": "Zoom in", on: { click: () => zoomBy(1.6) } }),
    make("button", { type: "button", text: "−", "aria-label": "Zoom out", on: { click: () => zoomBy(1 / 1.6) } }),
    make("button", { type: "button", text: "Save as PNG", on: { click: save } }));
  byId("map-controls").append(make("label", {}, "Transform ", select), plane.element, buttons);
  byId("map-plane").append(base, over, tip);
  byId("map-card").append(name, pictures, part, bar.element, open, saved);
  listen();
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(byId("map-plane"));
  onTheme(() => {
    draw();
    if (data && chosen !== null) describe();
  });
  onChange(() => {
    if (state.page !== "map") return;
    select.value = String(state.run.transforms.indexOf(chosenTransform()));
    plane.pick(state.plane);
    document.title = `Map · ${state.transform} · embshift`;
    load();
  });
}
