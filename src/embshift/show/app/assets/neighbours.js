// The images that are nearest to the view. Those before the original overtake it.
import { make, ordinal, say, two } from "./dom.js";
import { openImage, state } from "./state.js";
import { thumb } from "./thumbs.js";

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

function card(one) {
  const name = make("span", { class: "name", text: one.name, title: one.name });
  const cosine = make("span", { class: "cosine" });
  const badge = make("span", { class: "badge" });
  const image = one.row === null ? make("span", { class: "thumb gone", text: "not in the first run" }) : thumb(one.row, { side: 112 });
  const inner = [image, badge, name, cosine];
  const act = () => openImage(one.row, state.transform);
  const body = one.row === "dropped" || one.row === null ? make("div", { class: "tile" }, ...inner) : make("button", { type: "button", class: "tile", on: { click: act } }, ...inner);
  return { item: make("li", {}, body), cosine, badge };
}

const keyOf = (one) => one.row ?? one.name;

export function makeNeighbours({ cosines = true } = {}) {
  const list = make("ol", { class: "neighbours" });
  const note = make("p", { class: "quiet", hidden: true });
  const element = make("div", { class: "nearest" }, list, note);
  const cards = new Map(); // row, or name without one → card

  function move(before) {
    if (calm.matches) return;
    for (const [row, { item }] of cards) {
      const [from, to] = [before.get(row), item.getBoundingClientRect()];
      if (!from) item.animate([{ opacity: 0 }, { opacity: 1 }], 180);
      else if (from.left !== to.left || from.top !== to.top) {
        const shift = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
        item.animate([{ transform: shift }, { transform: "none" }], { duration: 180, easing: "ease-out" });
      }
    }
  }

  function show(neighbours, answer) {
    const before = new Map([...cards].map(([row, { item }]) => [row, item.getBoundingClientRect()]));
    const rows = new Set(neighbours.map(keyOf));
    for (const [row, { item }] of cards) {
      if (rows.has(row)) continue;
      item.remove();
      cards.delete(row);
    }
    const original = neighbours.findIndex((one) => one.original);
    for (const [place, one] of neighbours.entries()) {
      const known = cards.get(keyOf(one)) || card(one);
      cards.set(keyOf(one), known);
      if (list.children[place] !== known.item) list.insertBefore(known.item, list.children[place] || null);
      const overtakes = !one.original && (original < 0 || place < original);
      known.item.className = one.original ? "original" : overtakes ? "overtakes" : "";
      known.badge.textContent = one.original ? "original" : overtakes ? "overtakes" : "";
      known.cosine.textContent = cosines ? `cosine ${two(one.cosine)}` : "";
    }
    say(note, original < 0 && answer.rank ? `The original is ${ordinal(answer.rank)}, beyond these ${neighbours.length}.` : "");
    move(before);
  }

  return { element, show };
}
