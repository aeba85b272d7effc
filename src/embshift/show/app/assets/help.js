// Keys, and the dialog that lists them.
import { moveStrength, nextDraw, nextOverlay, nextTransform } from "./controls.js";
import { byId, make } from "./dom.js";
import { stepImage } from "./look.js";
import { stepMap } from "./map.js";
import { state } from "./state.js";

const KEYS = [
  ["← →", "less or more strength; with Shift in larger steps"],
  ["J K", "next or previous image, in the order of the shift"],
  ["T", "next transform; with Shift the previous one"],
  ["O", "next overlay"],
  ["D", "next draw"],
  ["Enter", "on the map: open the image"],
  ["?", "this help"],
];

const seesView = () => state.page === "look" || state.page === "two";

const ACTS = {
  j: () => (state.page === "map" ? stepMap(1) : seesView() && stepImage(1)),
  k: () => (state.page === "map" ? stepMap(-1) : seesView() && stepImage(-1)),
  t: (event) => state.page !== "gallery" && nextTransform(event.shiftKey ? -1 : 1),
  o: () => seesView() && nextOverlay(),
  d: () => seesView() && nextDraw(),
};

function arrows(event) {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || !seesView()) return false;
  moveStrength(way * (event.shiftKey ? 5 : 1));
  return true;
}

// Fields that need letters or arrows themselves keep them.
function isTaken(event) {
  const at = event.target;
  if (at.closest("dialog[open]")) return true;
  if (at.matches("select, textarea")) return true;
  if (!at.matches("input")) return false;
  return at.type === "range" ? false : at.type !== "radio" || event.key.startsWith("Arrow");
}

function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !state.run || isTaken(event)) return;
  if (arrows(event)) return event.preventDefault();
  if (!state.keys) return;
  if (event.key === "?") return openHelp();
  const act = ACTS[event.key.toLowerCase()];
  if (act) act(event);
}

function openHelp() {
  const dialog = byId("help");
  if (!dialog.open) dialog.showModal();
}

function fill(dialog) {
  const box = make("input", { type: "checkbox", id: "letters" });
  box.checked = state.keys;
  box.addEventListener("change", () => { state.keys = box.checked; });
  const lines = KEYS.flatMap(([keys, words]) => [
    make("dt", {}, ...keys.split(" ").map((key) => make("kbd", { text: key }))), make("dd", { text: words })]);
  dialog.append(
    make("h2", { id: "help-title", text: "Keys and help" }),
    make("dl", { class: "keys" }, ...lines),
    make("p", {}, make("label", {}, box, " Letter keys act")),
    make("p", { text: "Drop or paste an image anywhere, or press “Your image”, to see how this encoder takes it. It stays on this computer." }),
    make("p", { text: "The relative shift is the distance (1 − cosine) between original and view, divided by the original's mean distance to the other images of the run: at 1, a view is as far away as another image, on average." }),
    make("p", { text: "The address of this page names what you see, so it can be a bookmark while the server runs." }),
    make("button", { type: "button", text: "Close", on: { click: () => dialog.close() } }),
  );
}

export function startHelp() {
  fill(byId("help"));
  byId("help-open").addEventListener("click", openHelp);
  document.addEventListener("keydown", press);
}
