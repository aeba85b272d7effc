// The reader's choices, and the listeners that are called when they change.
const rankOf = (row) => data.overall[row].rank ?? data.transforms.length + 1;

const state = {
  transforms: new Set(data.transforms.keys()),
  metrics: new Set(data.metrics.keys()),
  filter: "",
  sort: { key: "rank", descending: true }, // the furthest first, as in the first chart
  metric: 0,
  behind: { transform: 0, metric: 0 },
  dark: window.matchMedia("(prefers-color-scheme: dark)").matches,
  printing: false,
};

const listeners = [];

function changed() {
  for (const listener of listeners) listener();
}

function isDark() {
  return state.dark && !state.printing;
}

function colourOf(transform) {
  return data.transforms[transform].colour[isDark() ? "dark" : "light"];
}

function shownMetrics() {
  return [...data.metrics.keys()].filter((metric) => state.metrics.has(metric));
}

function sortValue(row) {
  const { key } = state.sort;
  if (key === "name") return data.transforms[row].name;
  if (key === "plan") return row;
  if (key === "rank") return data.overall[row].rank;
  if (key === "overall") return data.overall[row].mean;
  return data.cells[row][key].mean;
}

// Undefined values come last in either direction; equal values keep the order of the plan.
function compare(one, other) {
  const [a, b] = [sortValue(one), sortValue(other)];
  if (a === null || b === null) return (a === null) - (b === null) || one - other;
  const order = typeof a === "string" ? (a < b ? -1 : a > b ? 1 : 0) : a - b;
  return (state.sort.descending ? -order : order) || one - other;
}

function shownTransforms() {
  const wanted = state.filter.toLowerCase();
  return [...data.transforms.keys()]
    .filter((row) => state.transforms.has(row) && data.transforms[row].name.toLowerCase().includes(wanted))
    .sort(compare);
}

function setTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  const button = byId("theme");
  button.textContent = state.dark ? "Light" : "Dark";
  button.setAttribute("aria-label", state.dark ? "Switch to light colours" : "Switch to dark colours");
  for (const [element, transform] of dots) colourDot(element, transform);
}
