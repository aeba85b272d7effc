// Asks for the view of the current choice. One request is in flight; the newest choice is asked next.
import { writeAddress } from "./address.js";
import { Newest, askView } from "./api.js";
import { decodeBodies } from "./paint.js";
import { onChange, state } from "./state.js";

const REST = 140; // milliseconds without a new strength after which the details are asked for
const SHOWN = new Set(["page", "image", "transform", "strength", "draw", "layer", "head"]);
const showers = [];
const problems = [];
let resting = 0;
let measured = 0;

export function onView(show, problem) {
  showers.push(show);
  problems.push(problem);
}

function job(detail, asked) {
  const { page, image, transform, strength, draw, layer, head } = state;
  const inside = layer === null ? {} : { layer, head };
  return { page, asked, wanted: { row: image, transform, strength, draw, detail, ...inside } };
}

const isCurrent = (done) => state.page === done.page && [state.image, state.imageId].includes(done.wanted.row) && state.transform === done.wanted.transform;

const remembered = []; // by encoder: the original that was decoded last, so that a drag decodes only views

function originals({ row, map_of: head }, encoder) {
  const last = remembered[encoder];
  const same = last && row !== "dropped" && last.row === row && JSON.stringify(last.head) === JSON.stringify(head);
  return same ? last.frames : {};
}

function remember({ row, map_of: head, frames }, encoder) {
  const kept = ["original", "original_map"].filter((name) => frames[name]).map((name) => [name, frames[name]]);
  remembered[encoder] = { row, head, frames: Object.fromEntries(kept) };
}

async function carryOut(current) {
  const encoders = current.page === "two" ? [0, 1] : [0];
  const answers = [];
  try {
    for (const encoder of encoders) {
      const packed = await askView({ ...current.wanted, encoder });
      answers.push({ ...packed.head, frames: await decodeBodies(packed, originals(packed.head, encoder)) });
      remember(answers.at(-1), encoder);
    }
  } catch (error) {
    if (!isCurrent(current)) return;
    for (const act of problems) act(error, current);
    mark(current.page, false);
    return;
  }
  if (isCurrent(current)) deliver(answers, current);
}

function deliver(answers, done) {
  state.image = answers[0].row;
  state.imageId = answers[0].row === "dropped" ? "dropped" : answers[0].image_id;
  writeAddress(state, false);
  for (const act of showers) act(answers, done);
  requestAnimationFrame(() => note(done));
  if (!newest.free) return;
  if (done.wanted.detail) mark(done.page, false);
  else rest();
}

// From the input to the picture, for whoever measures: performance.getEntriesByName("embshift:view").
function note(done) {
  measured += 1;
  if (measured % 500 === 0) performance.clearMeasures();
  performance.measure("embshift:view", { start: done.asked, end: performance.now(), detail: { detail: done.wanted.detail } });
}

const newest = new Newest(carryOut);

// A page is busy until its details are there, or a sentence that says why not.
function mark(page, busy) {
  document.getElementById(`page-${page}`).setAttribute("aria-busy", String(busy));
}

function ask(detail) {
  mark(state.page, true);
  newest.ask(job(detail, performance.now()));
}

function rest() {
  clearTimeout(resting);
  resting = setTimeout(() => ask(true), REST);
}

export function askNow(detail = true) {
  clearTimeout(resting);
  ask(detail);
}

export function startViews() {
  onChange((changed, dragging) => {
    const shows = state.page === "look" || state.page === "two";
    if (shows && [...changed].some((key) => SHOWN.has(key))) askNow(!dragging);
  });
}
