// Draws the plane of the page Map: dots, arrows, and the chosen one above them.
import { ink } from "./theme.js";

const MARGIN = 34;
const MANY = 1500; // images from which on arrows are thin and have no heads

export function bounds({ originals, views }) {
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  for (const points of [originals, views]) {
    for (let at = 0; at < points.length; at += 1) {
      if (!Number.isFinite(points[at])) continue;
      const axis = at % 2;
      found[axis] = Math.min(found[axis], points[at]);
      found[2 + axis] = Math.max(found[2 + axis], points[at]);
    }
  }
  return found.every(Number.isFinite) ? found : [-1, -1, 1, 1];
}

// From the plane to CSS pixels, with the same scale on both axes.
export function lens(data, zoom, [width, height]) {
  const [left, low, right, high] = data.bounds;
  const fit = Math.min((width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (high - low || 1)) * zoom.scale;
  const [x0, y0] = [(left + right) / 2, (low + high) / 2];
  return (points, at) => [width / 2 + zoom.x + (points[2 * at] - x0) * fit, height / 2 + zoom.y - (points[2 * at + 1] - y0) * fit];
}

export function prepare(canvas, [width, height]) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.lineCap = "round";
  return context;
}

function arrow(context, from, to, head) {
  context.moveTo(...from);
  context.lineTo(...to);
  if (!head) return;
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const tip = Math.min(head, length / 2);
  for (const side of [-0.45, 0.45]) {
    context.moveTo(to[0] - tip * Math.cos(angle + side), to[1] - tip * Math.sin(angle + side));
    context.lineTo(...to);
  }
}

function drawDots(context, { data, at, many }) {
  context.fillStyle = ink("quiet");
  context.globalAlpha = many ? 0.6 : 0.8;
  const radius = data.rows > 200 ? 2 : 3.2;
  for (let row = 0; row < data.rows; row += 1) {
    const [x, y] = at(data.arrays.originals, row);
    if (many) context.fillRect(x - 1, y - 1, 2, 2);
    else {
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
    }
  }
}

export function drawAll(context, { data, at, colour }) {
  const many = data.rows > MANY;
  context.strokeStyle = colour;
  context.globalAlpha = many ? 0.16 : 0.85;
  context.lineWidth = many ? 0.7 : 1.6;
  context.beginPath();
  for (let row = 0; row < data.rows; row += 1) {
    arrow(context, at(data.arrays.originals, row), at(data.arrays.views, row), many ? 0 : 6);
  }
  context.stroke();
  drawDots(context, { data, at, many });
}

export function drawOne(context, { data, at, place }) {
  const [from, to] = [at(data.arrays.originals, place), at(data.arrays.views, place)];
  for (const [colour, width] of [[ink("page"), 6], [ink("ink"), 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    arrow(context, from, to, 9);
    context.stroke();
    context.beginPath();
    context.arc(...from, 6, 0, 7);
    context.stroke();
  }
}
