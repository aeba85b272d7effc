// The page Two encoders: the same view, a column for each encoder.
import { controls } from "./controls.js";
import { byId, make, say, sentence } from "./dom.js";
import { saveTwo } from "./save.js";
import { figure, makeStage, paintPart } from "./stage.js";
import { onChange, state } from "./state.js";
import { onTheme } from "./theme.js";
import { onView } from "./views.js";

const original = figure("original");
const saved = make("p", { class: "quiet", role: "status" });
let stages = [];
let shown = null;

function paintAll() {
  const most = Math.max(...shown.map((answer) => answer.relative_shift || 0));
  for (const [at, answer] of shown.entries()) stages[at].show(answer, most);
  const frames = { ...shown[0], frames: { original: shown[0].frames.original } };
  paintPart(original, frames, "original", state.run.encoders[0]);
}

function show(answers, done) {
  if (done.page !== "two") return;
  shown = answers;
  byId("two-place").textContent = answers[0].name;
  document.title = `${answers[0].name} · two encoders · embshift`;
  paintAll();
}

function fail(problem, done) {
  if (done.page === "two") for (const stage of stages) stage.problem(problem.message);
}

function column(encoder, stage) {
  return make("section", { class: "column panel", "aria-label": encoder.run ? `${encoder.name}, ${encoder.run}` : encoder.name },
    make("div", {}, make("h2", { text: encoder.name }), encoder.run ? make("p", { class: "quiet", text: encoder.run }) : null),
    encoder.live ? null : make("p", { class: "problem", text: sentence(encoder.why) }),
    stage.view.element, stage.verdict, stage.neighbours.element);
}

async function save() {
  if (!shown) return;
  try {
    const views = stages.map((stage) => stage.view.canvas);
    say(saved, `Saved as ${await saveTwo({ original: original.canvas, views, answers: shown })}.`);
  } catch (problem) {
    say(saved, `Not saved: ${problem.message}`);
  }
}

export function startTwo() {
  stages = state.run.encoders.map((encoder) => makeStage(encoder, { alone: false }));
  byId("two-original").append(original.element);
  byId("two-columns").append(...state.run.encoders.map((encoder, at) => column(encoder, stages[at])));
  const button = make("button", { type: "button", text: "Save as PNG", on: { click: save } });
  byId("two-side").append(make("div", { class: "buttons" }, button), saved);
  onView(show, fail);
  onTheme(() => shown && paintAll());
  onChange((changed) => {
    if (state.page === "two" && changed.has("page")) byId("two-side").prepend(controls);
    if (changed.has("overlay") && shown && state.page === "two") paintAll();
  });
}
