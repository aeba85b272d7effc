// Builds the page. Text from the run enters only through textContent; nothing is parsed as markup.
export const byId = (id) => document.getElementById(id);

export function make(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options || {})) {
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A server's message as a sentence of its own.
export function sentence(text) {
  const words = text ? text[0].toUpperCase() + text.slice(1) : "";
  return !words || /[.!?…]$/.test(words) ? words : `${words}.`;
}

// Shows words in an element, and hides the element without words.
export function say(element, text) {
  if (element.textContent !== (text || "")) element.textContent = text || "";
  element.hidden = !text;
}

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e-4 && size < 1e4 ? fixed(value, digits) : value.toExponential(digits - 1);
  return text.replace("-", "−");
}

// Enough decimal places for the significant digits, and never "1e+3".
function fixed(value, digits) {
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(places, 8));
}

export const two = (value) => (value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "−"));

export const percent = (share) => `${Number((100 * share).toPrecision(2))} %`.replace("-", "−");

export const count = (value, one, many) => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

export function ordinal(rank) {
  const tail = rank % 100 >= 11 && rank % 100 <= 13 ? "th" : { 1: "st", 2: "nd", 3: "rd" }[rank % 10] || "th";
  return `${rank.toLocaleString("en")}${tail}`;
}

export function shortened(text, most) {
  if (text.length <= most) return text;
  const kept = most - 1;
  return `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`;
}

export function quantity(value, unit) {
  if (value === null || value === undefined) return "as recorded";
  return unit && unit !== "1" ? `${Number(value.toPrecision(3))} ${unit}` : String(Number(value.toPrecision(3)));
}

let last = 0;

// A number for ids that nothing else on the page has.
export function nextId(stem) {
  last += 1;
  return `${stem}-${last}`;
}

// A group of choices of which one is taken: radio buttons under a legend.
export function choice(legend, options, act) {
  const name = nextId("choice");
  const group = make("fieldset", { class: "choice" }, make("legend", { text: legend }));
  const boxes = new Map();
  for (const [value, text] of options) {
    const box = make("input", { type: "radio", name, value, on: { change: () => act(value) } });
    boxes.set(value, box);
    group.append(make("label", {}, box, make("span", { text })));
  }
  return { element: group, pick: (value) => boxes.has(value) && (boxes.get(value).checked = true), boxes };
}
