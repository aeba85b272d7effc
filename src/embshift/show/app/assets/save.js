// Saves what is seen as PNG, with its numbers and the command that repeats it.
import { colourOf } from "./bar.js";
import { number, quantity, shortened } from "./dom.js";
import { ask } from "./api.js";
import { state, transformNamed } from "./state.js";
import { ink } from "./theme.js";

const WIDTH = 1200;
const EDGE = 40;
const SANS = "system-ui, 'DejaVu Sans', sans-serif";
const MONO = "ui-monospace, 'DejaVu Sans Mono', monospace";

function sheet(height) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.fillStyle = ink("page");
  context.fillRect(0, 0, WIDTH, height);
  context.textBaseline = "top";
  return { canvas, context };
}

// Writes a text in lines of the given width; returns where the next line begins.
function write(context, text, { x = EDGE, y, width = WIDTH - 2 * EDGE, size = 18, colour = "ink", font = SANS, weight = "" }) {
  context.font = `${weight} ${size}px ${font}`;
  context.fillStyle = ink(colour);
  let line = "";
  for (const piece of text.match(/\S{1,40}\s*/g) || []) {
    if (line && context.measureText(line + piece).width > width) {
      context.fillText(line, x, y);
      y += 1.4 * size;
      line = "";
    }
    line += piece;
  }
  context.fillText(line, x, y);
  return y + 1.5 * size;
}

function bar(context, value, transform, { x, y, width, most = value }) {
  const scale = Math.max(1.25, 1.08 * (most || 0));
  context.fillStyle = ink("line");
  context.fillRect(x, y, width, 18);
  context.fillStyle = colourOf(transform);
  context.fillRect(x, y, (width * (value || 0)) / scale, 18);
  context.fillStyle = ink("ink");
  context.fillRect(x + width / scale - 1, y - 5, 2, 28);
  return write(context, "1: another image", { x: x + width / scale - 60, y: y + 26, size: 13, colour: "quiet", width: 140 });
}

function metricWords(answer) {
  const labels = new Map(state.run.metrics.map((one) => [one.name, one.label]));
  const found = Object.entries(answer.metrics || {}).map(([name, value]) => `${labels.get(name) || name} ${number(value)}`);
  const cosine = "cosine" in (answer.metrics || {}) ? [] : [`cosine ${number(answer.cosine)}`];
  return [`relative shift ${number(answer.relative_shift)}`, ...cosine, ...found].join(" · ");
}

async function small(row) {
  if (row === null) return null;
  try {
    return await createImageBitmap(await (await ask(`/api/thumb/${encodeURIComponent(row)}?side=160`)).blob());
  } catch {
    return null; // a neighbour whose file is gone is left out of the saved image
  }
}

async function neighbours(context, answer, { x, y, width }) {
  const side = Math.floor((width - 7 * 10) / 8);
  const images = await Promise.all(answer.neighbours.map((one) => small(one.row)));
  const original = answer.neighbours.findIndex((one) => one.original);
  for (const [at, one] of answer.neighbours.entries()) {
    const left = x + at * (side + 10);
    if (images[at]) context.drawImage(images[at], left, y, side, side);
    const overtakes = !one.original && (original < 0 || at < original);
    context.lineWidth = 4;
    context.strokeStyle = ink(one.original ? "accent" : overtakes ? "warn" : "line");
    context.strokeRect(left, y, side, side);
    write(context, one.original ? "original" : overtakes ? "overtakes" : "", { x: left, y: y + side + 8, size: 13, colour: one.original ? "accent" : "warn", width: 200 });
  }
  return y + side + 34;
}

function heading(context, answer) {
  const strength = `${answer.transform}, ${quantity(answer.strength, answer.unit)}${answer.recorded && answer.strength !== null ? " (as recorded)" : ""}`;
  const draw = answer.draws > 1 ? `, draw ${answer.draw + 1}` : "";
  const y = write(context, shortened(answer.name, 80), { y: 32, size: 28, weight: "600" });
  return write(context, `${strength}${draw} · ${state.run.name}`, { y, size: 18, colour: "quiet" }) + 8;
}

function ending(context, command, y) {
  if (command) y = write(context, command, { y: y + 6, size: 16, font: MONO });
  return write(context, `embshift ${state.run.version}`, { y, size: 14, colour: "quiet" }) + 16;
}

// The height is known only after all is written, so the sheet is cut at the end.
function cut(canvas, height) {
  const { canvas: made, context } = sheet(Math.ceil(height));
  context.drawImage(canvas, 0, 0);
  return made;
}

function fileName(...parts) {
  const plain = parts.filter((part) => part !== null && part !== "").map((part) => String(part).replace(/[^A-Za-z0-9.-]+/g, "-"));
  return `${["embshift", ...plain].join("_").slice(0, 120)}.png`;
}

async function download(canvas, name) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!blob) throw new Error("the browser made no PNG");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return name;
}

export async function saveLook({ original, view, answer }) {
  const { canvas, context } = sheet(2400);
  const side = (WIDTH - 2 * EDGE - 24) / 2;
  let y = heading(context, answer);
  context.drawImage(original, EDGE, y, side, (side * original.height) / original.width);
  context.drawImage(view, EDGE + side + 24, y, side, (side * view.height) / view.width);
  y += Math.max((side * original.height) / original.width, (side * view.height) / view.width) + 24;
  y = write(context, answer.sentence, { y, size: 22, weight: "600" });
  y = bar(context, answer.relative_shift, transformNamed(answer.transform), { x: EDGE, y: y + 8, width: WIDTH - 2 * EDGE });
  y = write(context, metricWords(answer), { y, size: 16, colour: "quiet" });
  y = await neighbours(context, answer, { x: EDGE, y: y + 8, width: WIDTH - 2 * EDGE });
  return download(cut(canvas, ending(context, answer.command, y)), fileName(answer.name, answer.transform, answer.strength));
}

export async function saveTwo({ original, views, answers }) {
  const { canvas, context } = sheet(2400);
  const side = (WIDTH - 2 * EDGE - 48) / 3;
  const top = heading(context, answers[0]) + 30;
  write(context, "original", { y: top - 28, size: 16 });
  context.drawImage(original, EDGE, top, side, side);
  const most = Math.max(...answers.map((answer) => answer.relative_shift || 0));
  let last = top + side;
  for (const [at, answer] of answers.entries()) {
    const x = EDGE + (at + 1) * (side + 24);
    write(context, shortened(state.run.encoders[at].name, 36), { x, y: top - 28, size: 16, width: side });
    context.drawImage(views[at], x, top, side, side);
    let y = write(context, answer.sentence, { x, y: top + side + 16, width: side, size: 16 });
    y = bar(context, answer.relative_shift, transformNamed(answer.transform), { x, y: y + 8, width: side, most });
    last = Math.max(last, y);
  }
  return download(cut(canvas, ending(context, answers[0].command, last)), fileName(answers[0].name, answers[0].transform, "two-encoders"));
}

export async function saveMap({ layers, words }) {
  const [base] = layers;
  const { canvas, context } = sheet(2400);
  const height = ((WIDTH - 2 * EDGE) * base.height) / base.width;
  let y = write(context, `${state.run.name}: map under ${state.transform}`, { y: 32, size: 28, weight: "600" });
  y = write(context, words, { y, size: 16, colour: "quiet" }) + 8;
  for (const layer of layers) context.drawImage(layer, EDGE, y, WIDTH - 2 * EDGE, height);
  return download(cut(canvas, ending(context, state.run.command, y + height + 10)), fileName(state.run.name, "map", state.transform));
}
