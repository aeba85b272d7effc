// Transform, strength, draw and overlay: one set of controls, which the pages Look and Two encoders share.
import { colourOf } from "./bar.js";
import { choice, make, quantity, say, sentence } from "./dom.js";
import { change, chooseTransform, chosenTransform, onChange, state } from "./state.js";
import { onTheme } from "./theme.js";
import { onView } from "./views.js";

const STEPS = 1000;
const KEY_STEP = 20;

const isLog = (one) => one.log && one.range[0] > 0;

export function toPosition(one, strength) {
  const [low, high] = one.range;
  const share = isLog(one) ? Math.log(strength / low) / Math.log(high / low) : (strength - low) / (high - low);
  return Math.round(STEPS * Math.min(Math.max(share, 0), 1));
}

export function toStrength(one, position) {
  const [low, high] = one.range;
  const share = position / STEPS;
  const exact = isLog(one) ? low * (high / low) ** share : low + (high - low) * share;
  return Math.min(Math.max(Number(exact.toPrecision(3)), low), high);
}

const select = make("select", { id: "transform", "aria-keyshortcuts": "T" });
const slider = make("input", { type: "range", id: "strength", min: 0, max: STEPS, step: 1 });
const value = make("output", { for: "strength", class: "value" });
const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
const note = make("span", { class: "quiet", text: "as recorded" });
const recorded = make("button", { type: "button", text: "↺ recorded", "aria-label": "Back to the recorded strength" });
const draw = make("button", { type: "button", "aria-keyshortcuts": "D" });
const why = make("p", { class: "problem", id: "strength-problem", role: "alert", hidden: true });
const name = make("span", { text: "Strength" });
const strengthPart = make("div", { class: "strength" },
  make("label", { for: "strength" }, name), make("div", { class: "strength-head" }, value, note, recorded), slider, ticks);
let overlay;
let lastStrength = null; // what the server last said that the strength is

export const controls = make("div", { class: "control-set" });

function canMove(one) {
  return Boolean(one.range) && one.live && (state.run.encoders[0].live || state.page === "two");
}

function reason(one) {
  if (!one.live) return sentence(one.why);
  if (!state.run.encoders[0].live) return sentence(state.run.encoders[0].why);
  return one.range ? "" : `${one.name} has no strength to choose.`;
}

function shownStrength(one) {
  return state.strength ?? one.recorded ?? lastStrength;
}

function renderTicks(one) {
  const marks = one.range ? one.severities.map((strength, at) => [strength, String(at + 1), "severity"]) : [];
  if (one.range && one.recorded !== null) marks.push([one.recorded, "recorded", "recorded"]);
  ticks.replaceChildren(...marks.map(([strength, text, kind]) => {
    const tick = make("span", { class: `tick ${kind}`, title: `${text}: ${quantity(strength, one.unit)}` }, make("span", { text: kind === "severity" ? text : "" }));
    tick.style.left = `${toPosition(one, strength) / (STEPS / 100)}%`;
    return tick;
  }));
}

function renderStrength() {
  const one = chosenTransform();
  const strength = shownStrength(one);
  const text = quantity(strength, one.unit);
  name.textContent = one.parameter ? `Strength: ${one.parameter}` : "Strength";
  value.textContent = strength === null ? "" : text;
  slider.disabled = !canMove(one);
  if (one.range && strength !== null) slider.value = toPosition(one, strength);
  slider.setAttribute("aria-valuetext", state.strength === null ? `${strength === null ? "" : `${text}, `}as recorded` : text);
  slider.style.accentColor = colourOf(one);
  note.hidden = state.strength !== null;
  recorded.hidden = state.strength === null;
}

function render() {
  const one = chosenTransform();
  select.value = String(state.run.transforms.indexOf(one));
  strengthPart.classList.toggle("fixed", !one.range);
  renderTicks(one);
  renderStrength();
  draw.hidden = one.draws < 2;
  draw.textContent = `Draw ${state.draw + 1} of ${one.draws}`;
  draw.setAttribute("aria-label", `Draw ${state.draw + 1} of ${one.draws}: take the next one`);
  say(why, reason(one));
  overlay.pick(state.overlay);
}

export function moveStrength(steps) {
  const one = chosenTransform();
  if (!canMove(one)) return;
  const from = toPosition(one, shownStrength(one) ?? one.range[0]);
  const to = Math.min(Math.max(from + KEY_STEP * steps, 0), STEPS);
  change({ strength: toStrength(one, to) }, { dragging: true });
}

export function nextTransform(step = 1) {
  const all = state.run.transforms;
  const at = all.indexOf(chosenTransform());
  chooseTransform(all[(at + step + all.length) % all.length].name);
}

export function nextDraw() {
  const one = chosenTransform();
  if (one.draws > 1) change({ draw: (state.draw + 1) % one.draws });
}

export function nextOverlay() {
  const kinds = offered();
  change({ overlay: kinds[(kinds.indexOf(state.overlay) + 1) % kinds.length] });
}

// The overlays that this run has.
function overlays() {
  const maps = state.run.encoders.map((one) => one.map).filter(Boolean);
  const found = [["none", "none"]];
  if (maps.length) found.push(["map", maps[0]]);
  found.push(["change", "shift source"]);
  return found;
}

// The source of the shift is offered once an answer has it.
function showOverlays(change) {
  overlay.boxes.get("change").parentElement.hidden = !change;
  overlay.element.hidden = !change && overlay.boxes.size < 3;
}

const offered = () => [...overlay.boxes.keys()].filter((kind) => !overlay.boxes.get(kind).parentElement.hidden);

export function startControls() {
  for (const [at, one] of state.run.transforms.entries()) select.append(make("option", { value: at, text: one.name }));
  select.addEventListener("change", () => chooseTransform(state.run.transforms[Number(select.value)].name));
  slider.addEventListener("input", () => change({ strength: toStrength(chosenTransform(), Number(slider.value)) }, { dragging: true }));
  recorded.addEventListener("click", () => {
    change({ strength: null });
    slider.focus();
  });
  draw.addEventListener("click", nextDraw);
  overlay = choice("Overlay", overlays(), (kind) => change({ overlay: kind }));
  if (!overlay.boxes.has(state.overlay)) state.overlay = "none";
  showOverlays(false);
  const pick = make("label", { class: "pick" }, make("span", { text: "Transform" }), select);
  controls.append(make("div", { class: "pick-row" }, pick, draw), strengthPart, why, overlay.element);
  onChange((changed) => {
    if (changed.has("transform") || changed.has("image")) lastStrength = null;
    render();
  });
  onTheme(() => state.transform && render());
  onView((answers, done) => {
    lastStrength = answers[0].strength;
    if (done.wanted.detail) showOverlays(answers.some((one) => one.frames.shift_map));
    say(why, reason(chosenTransform()));
    renderStrength();
  }, (problem) => problem.status !== 404 && say(why, problem.message)); // 404 concerns the image
}
