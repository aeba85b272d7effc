// What one encoder makes of a view: the view under its map, the sentence, the bar and the nearest images.
import { makeBar } from "./bar.js";
import { make, ordinal, say, two } from "./dom.js";
import { makeNeighbours } from "./neighbours.js";
import { paint } from "./paint.js";
import { state, transformNamed } from "./state.js";

export function figure(caption) {
  const canvas = make("canvas", { role: "img", "aria-label": caption, width: 224, height: 224 });
  const words = make("figcaption", { text: caption });
  const none = make("p", { class: "none", hidden: true });
  return { element: make("figure", {}, canvas, none, words), canvas, none, words };
}

const CHANGE = "the source of the shift; blue works against it";

// Which map stands over which image, by the reader's choice.
export function mapOf(answer, part) {
  if (state.overlay === "none") return null;
  if (state.overlay === "change") return part === "view" ? answer.frames.shift_map || null : null;
  return (part === "view" ? answer.frames.map : answer.frames.original_map) || null;
}

function captionOf(answer, part, encoder) {
  const what = part === "view" ? `view: ${answer.transform}` : "original";
  const map = mapOf(answer, part);
  if (!map) return what;
  const of = answer.map_of ? `${encoder.map}, layer ${answer.map_of.layer} head ${answer.map_of.head}` : encoder.map;
  return `${what}, with ${state.overlay === "change" ? CHANGE : of}`;
}

export function paintPart(target, answer, part, encoder) {
  const known = Boolean(answer.frames[part]);
  target.canvas.hidden = !known;
  say(target.none, known ? "" : `The ${part} was not kept, and cannot be made again here.`);
  target.words.textContent = part;
  if (!known) return;
  const [image, map] = [answer.frames[part], mapOf(answer, part)];
  if (target.image !== image || target.map !== map) paint(target.canvas, image, map);
  Object.assign(target, { image, map });
  const caption = captionOf(answer, part, encoder);
  target.words.textContent = caption;
  target.canvas.setAttribute("aria-label", `${answer.name}, ${caption}`);
}

const facts = (answer, cosines) => (cosines ? `cosine ${two(answer.cosine)} · ` : "") + (answer.rank ? `the original is ${ordinal(answer.rank)} of ${answer.of.toLocaleString("en")}` : `${answer.of.toLocaleString("en")} images to compare with`);

export function makeStage(encoder, { alone = true } = {}) {
  const view = figure("view");
  const sentence = make("p", { class: "sentence" });
  const bar = makeBar({ average: alone });
  const rank = make("p", { class: "quiet facts" });
  const why = make("p", { class: "problem", role: "alert", hidden: true });
  const neighbours = makeNeighbours({ cosines: alone });
  const verdict = make("div", { class: "verdict" }, sentence, bar.element, rank, why);

  function show(answer, most) {
    paintPart(view, answer, "view", encoder);
    sentence.textContent = answer.sentence;
    bar.show(answer.relative_shift, transformNamed(answer.transform), most);
    rank.textContent = facts(answer, alone);
    neighbours.show(answer.neighbours, answer);
    say(why, "");
  }

  return { view, verdict, neighbours, show, problem: (text) => say(why, text) };
}
