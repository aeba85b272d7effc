// The page Gallery: all images by shift. Only the rows in sight and a few around them are in the page.
import { askJSON } from "./api.js";
import { dot, smallBar } from "./bar.js";
import { byId, count, make, number, ordinal, say } from "./dom.js";
import { addressOf } from "./address.js";
import { change, onChange, openImage, state, transformNamed } from "./state.js";
import { onTheme } from "./theme.js";
import { thumb } from "./thumbs.js";

const PAGE = 120;
const GAP = 12;
const LEAST = 232; // CSS pixels that a card is wide at least
const WORDS = 88; // CSS pixels of a card below its images
const AROUND = 3; // rows kept above and below those in sight
const list = () => byId("gallery-list");

let pages = new Map(); // number of the page → items, or null while it is asked for
let total = 0;
let cards = new Map(); // place → element
let turn = 0; // counts orders and filters, so that late answers to old ones are dropped
let geometry = { columns: 1, side: 100, width: 200, height: 200 };

function measure() {
  const width = list().clientWidth;
  const columns = Math.max(1, Math.floor((width + GAP) / (LEAST + GAP)));
  const wide = Math.floor((width - GAP * (columns - 1)) / columns);
  const side = Math.floor((wide - 24 - 6) / 2);
  geometry = { columns, width: wide, side, height: side + WORDS };
  list().style.height = `${Math.ceil(total / columns) * (geometry.height + GAP)}px`;
}

function part(row, transform, side, kept) {
  if (kept) return thumb(row, { transform, side: side > 160 ? 224 : 160 });
  return make("span", { class: "thumb gone" }, make("span", { class: "why", text: "view not kept" }));
}

function card(item) {
  const transform = transformNamed(item.transform);
  const address = addressOf({ ...state, page: "look", image: item.row, imageId: item.image_id, transform: item.transform, strength: null, draw: 0, layer: null });
  const act = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openImage(item.row, item.transform, { imageId: item.image_id });
  };
  const rank = item.rank > 1 ? make("span", { class: "overtaken", text: `rank ${item.rank.toLocaleString("en")}`, title: `The original is ${ordinal(item.rank)} of ${item.of.toLocaleString("en")} nearest to the view.` }) : null;
  return make("a", { class: "card", href: address, on: { click: act } },
    make("span", { class: "pair" }, thumb(item.row, { side: geometry.side > 160 ? 224 : 160 }), part(item.row, item.transform, geometry.side, item.kept)),
    make("span", { class: "line" }, make("span", { class: "name", text: item.name, title: item.name }), rank),
    make("span", { class: "line" }, dot(transform), make("span", { class: "transform", text: item.transform }), make("span", { class: "value", text: number(item.relative_shift) })),
    smallBar(item.relative_shift, transform));
}

function fill(element, place) {
  const items = pages.get(Math.floor(place / PAGE));
  if (items === undefined) ask(Math.floor(place / PAGE));
  const item = items && items[place % PAGE];
  if (!item || element.dataset.filled) return;
  element.dataset.filled = "yes";
  element.replaceChildren(card(item));
}

function put(place) {
  const { columns, width, height } = geometry;
  const element = cards.get(place) || make("li", { class: "slot", "aria-setsize": total, "aria-posinset": place + 1 });
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  element.style.setProperty("--side", `${geometry.side}px`);
  element.style.transform = `translate(${(place % columns) * (width + GAP)}px, ${Math.floor(place / columns) * (height + GAP)}px)`;
  if (!cards.has(place)) {
    cards.set(place, element);
    insert(element, place);
  }
  fill(element, place);
}

// In the order of places, so that Tab goes from card to card.
function insert(element, place) {
  const after = [...list().children].find((other) => Number(other.getAttribute("aria-posinset")) > place + 1);
  list().insertBefore(element, after || null);
}

function render() {
  if (state.page !== "gallery") return;
  const { columns, height } = geometry;
  const top = -list().getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / (height + GAP)) - AROUND) * columns;
  const last = Math.min(total, (Math.ceil((top + window.innerHeight) / (height + GAP)) + AROUND) * columns);
  for (const [place, element] of cards) {
    if ((place >= first && place < last) || element.contains(document.activeElement)) continue;
    element.remove();
    cards.delete(place);
  }
  for (let place = first; place < last; place += 1) put(place);
}

async function ask(page) {
  if (pages.has(page)) return;
  pages.set(page, null);
  const mine = turn;
  const query = new URLSearchParams({ order: state.order, cursor: String(page * PAGE), count: String(PAGE) });
  if (state.filter) query.set("transform", state.filter);
  try {
    const answer = await askJSON(`/api/gallery?${query}`);
    if (mine !== turn) return;
    pages.set(page, answer.items);
    if (answer.total !== total) {
      total = answer.total;
      measure();
    }
    say(byId("gallery-problem"), "");
    words();
    render();
  } catch (problem) {
    if (mine !== turn) return;
    pages.delete(page);
    say(byId("gallery-problem"), problem.message);
  }
}

function fit() {
  measure();
  render();
}

function words() {
  const what = state.filter ? `under ${state.filter}` : `under ${count(state.run.transforms.length, "transform", "transforms")}`;
  const order = state.order === "least" ? "least" : "most";
  byId("gallery-count").textContent = total ? `${count(total, "view", "views")} ${what}, ${order} shifted first. Left the original, right the view.` : "This run has no views to show.";
}

function restart() {
  turn += 1;
  pages = new Map();
  for (const element of cards.values()) element.remove();
  cards = new Map();
  total = 0;
  window.scrollTo(0, 0);
  ask(0);
}

function recolour() {
  for (const element of cards.values()) delete element.dataset.filled;
  render();
}

export function startGallery() {
  const select = byId("gallery-transform");
  select.append(make("option", { value: "", text: "all transforms" }), ...state.run.transforms.map((one, at) => make("option", { value: String(at), text: one.name })));
  select.addEventListener("change", () => change({ filter: select.value === "" ? "" : state.run.transforms[Number(select.value)].name }));
  byId("gallery-order").addEventListener("change", (event) => change({ order: event.target.value }));
  let waiting = 0;
  const later = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(render);
  };
  window.addEventListener("scroll", later, { passive: true });
  window.addEventListener("resize", later);
  new ResizeObserver(() => {
    if (state.page === "gallery") requestAnimationFrame(fit); // not at once: it changes what is observed
  }).observe(byId("page-gallery"));
  onTheme(recolour);
  let asked = null;
  onChange(() => {
    if (state.page !== "gallery") return;
    const at = state.run.transforms.findIndex((one) => one.name === state.filter);
    select.value = at < 0 ? "" : String(at);
    byId("gallery-order").value = state.order;
    document.title = `Gallery · ${state.run.name} · embshift`;
    const wanted = `${state.filter}\n${state.order}`;
    if (asked !== wanted) {
      asked = wanted;
      restart();
    } else fit();
  });
}
