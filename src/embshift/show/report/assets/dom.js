// Builds the page. Text from the run enters only through textContent; nothing is parsed as markup.
const data = JSON.parse(document.getElementById("data").textContent);

function make(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options || {})) {
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);

function refill(element, children) {
  element.replaceChildren(...children);
}

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
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

const percent = (share) => `${Number((100 * share).toFixed(1))} %`;

function interval(cell) {
  return cell.low === null ? "no interval" : `${number(cell.low)} to ${number(cell.high)}`;
}

function shortened(text, most) {
  if (text.length <= most) return text;
  const kept = most - 1;
  return `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`;
}

function metricTitle(metric) {
  return metric.unit ? `${metric.short} (${metric.unit})` : metric.short;
}

function direction(metric) {
  return metric.higher ? "higher is closer to the original" : "lower is closer to the original";
}

// A line may break after an underscore, and inside a word only if that is longer than any line; the text stays what it is.
const LONG = 18;

function breakable(text) {
  const parts = text.split(/(?<=_)/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
  return text.split(/[_\s-]/).some((word) => word.length > LONG) ? [make("span", { class: "long" }, ...parts)] : parts;
}

const dots = [];

// The transform's colour next to its name. The page's policy allows styles only as properties.
function dot(transform) {
  const element = make("span", { class: "dot", "aria-hidden": "true" });
  dots.push([element, transform]);
  colourDot(element, transform);
  return element;
}

function colourDot(element, transform) {
  element.style.backgroundColor = colourOf(transform);
}

const tip = byId("tip");

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const room = 12;
  const left = Math.min(x + room, window.innerWidth - tip.offsetWidth - room);
  const below = y + room + tip.offsetHeight < window.innerHeight;
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${below ? y + room : Math.max(y - tip.offsetHeight - room, 4)}px`;
}

function tipBelow(element, text) {
  const place = element.getBoundingClientRect();
  showTip(text, place.left, place.bottom);
}

function hideTip() {
  tip.hidden = true;
}

// A command with a button that copies it; where the browser forbids that, the command is selected.
function copyable(text) {
  const code = make("code", { text });
  const button = make("button", { type: "button", class: "control", text: "Copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
  return make("div", { class: "copy" }, code, button);
}
