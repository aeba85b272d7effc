// The page Look: original and view, the strength, what it does to the embedding.
import { askJSON } from "./api.js";
import { controls } from "./controls.js";
import { byId, make, say } from "./dom.js";
import { showInside } from "./inside.js";
import { saveLook } from "./save.js";
import { figure, makeStage, paintPart } from "./stage.js";
import { onChange, openImage, state } from "./state.js";
import { onTheme } from "./theme.js";
import { onView } from "./views.js";

const SPEAK = 600; // milliseconds of rest after which the sentence is spoken
const original = figure("original");
const command = make("code", { tabindex: 0, "aria-label": "Command that opens this view" });
const saved = make("p", { class: "quiet", role: "status" });
const times = make("p", { class: "quiet" });
let stage;
let shown = null;
let speaking = 0;

function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { byId("announce").textContent = text; }, SPEAK);
}

function placeWords(answer) {
  if (answer.place === null || answer.place === undefined) return "Dropped image; compared with the images of this run.";
  return `${(answer.place + 1).toLocaleString("en")} of ${state.run.images.toLocaleString("en")} by shift`;
}

function title(answer) {
  byId("look-title").textContent = answer.name;
  byId("look-place").textContent = placeWords(answer);
  document.title = `${answer.name} · ${answer.transform} · embshift`;
}

function show(answers, done) {
  const [answer] = answers;
  speak(answer.sentence);
  if (done.page !== "look") return;
  shown = answer;
  byId("page-look").classList.remove("empty");
  title(answer);
  stage.show(answer);
  paintPart(original, answer, "original", state.run.encoders[0]);
  showInside(byId("look-inside"), answer, done.wanted.detail);
  command.textContent = answer.command || "";
  byId("look-command").hidden = !answer.command;
  byId("copy").hidden = !answer.command;
  times.textContent = timeWords(answer.milliseconds);
}

function timeWords(times) {
  const words = Object.entries(times || {}).map(([name, value]) => `${name} ${Math.round(value)} ms`);
  return words.length ? `This computer took: ${words.join(", ")}.` : "";
}

function fail(problem, done) {
  if (done.page !== "look") return;
  if (problem.status === 404) byId("look-place").textContent = problem.message;
}

// J and K walk through the images in the order of their shift.
export async function stepImage(step) {
  const total = state.run.images;
  const from = shown && shown.place !== null && shown.place !== undefined ? shown.place : step > 0 ? -1 : total;
  const to = Math.min(Math.max(from + step, 0), total - 1);
  if (to === from) return;
  const page = byId(`page-${state.page}`);
  page.setAttribute("aria-busy", "true");
  try {
    const query = new URLSearchParams({ transform: state.transform, order: "most", cursor: String(to), count: "1" });
    const { items } = await askJSON(`/api/gallery?${query}`);
    if (items.length) openImage(items[0].row, state.transform, { page: state.page, imageId: items[0].image_id, strength: state.strength });
  } catch (problem) {
    page.setAttribute("aria-busy", "false");
    byId(`${state.page}-place`).textContent = problem.message;
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(command.textContent);
    say(saved, "Command copied.");
  } catch {
    getSelection().selectAllChildren(command);
    say(saved, "The browser does not let this page copy; the command is selected.");
  }
}

async function save() {
  if (!shown) return;
  say(saved, "Saving …");
  try {
    say(saved, `Saved as ${await saveLook({ original: original.canvas, view: stage.view.canvas, answer: shown })}.`);
  } catch (problem) {
    say(saved, `Not saved: ${problem.message}`);
  }
}

function ends() {
  const buttons = make("div", { class: "buttons" },
    make("button", { type: "button", id: "save", text: "Save as PNG", on: { click: save } }),
    make("button", { type: "button", id: "copy", text: "Copy command", on: { click: copy } }));
  const opens = make("div", { id: "look-command" }, make("p", { class: "quiet", text: "This command opens what you see:" }), make("pre", {}, command));
  return [opens, buttons, saved, times];
}

export function startLook() {
  const encoder = state.run.encoders[0];
  stage = makeStage(encoder);
  byId("look-figures").append(original.element, stage.view.element);
  byId("look-side").append(controls, stage.verdict);
  byId("look-neighbours").append(make("h2", { text: "Nearest images to the view" }), stage.neighbours.element);
  byId("look-ends").append(...ends());
  byId("previous").addEventListener("click", () => stepImage(-1));
  byId("next").addEventListener("click", () => stepImage(1));
  onView(show, fail);
  onTheme(() => shown && stage.show(shown));
  onChange((changed) => {
    if (state.page === "look" && (changed.has("page") || !controls.isConnected)) byId("look-side").prepend(controls);
    if (changed.has("overlay") && shown && state.page === "look") {
      stage.show(shown);
      paintPart(original, shown, "original", encoder);
    }
  });
}
