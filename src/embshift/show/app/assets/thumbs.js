// Small images, asked for with the token while they are in sight and released some time after.
import { ask } from "./api.js";
import { make } from "./dom.js";

const AT_ONCE = 6;
const KEPT = 150; // images out of sight whose pixels are kept, so that scrolling back is quick
const held = new Map(); // address → { users, url, state }
const queue = [];
let running = 0;
let drops = 0;

// A new dropped image has the same address as the last one.
export function forgetDropped() {
  drops += 1;
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) use(entry.target);
    else leave(entry.target);
  }
}, { rootMargin: "200px" });

export function thumb(row, { transform = null, side = 160, alt = "" } = {}) {
  const image = make("img", { alt, width: side, height: side, decoding: "async", draggable: "false" });
  const frame = make("span", { class: "thumb" }, image);
  const query = new URLSearchParams({ side: String(side), ...(transform ? { transform } : {}) });
  if (row === "dropped") query.set("drop", String(drops));
  frame.dataset.address = `/api/thumb/${encodeURIComponent(row)}?${query}`;
  sight.observe(frame);
  return frame;
}

function use(frame) {
  const address = frame.dataset.address;
  const found = held.get(address) || { users: new Set(), url: null, why: null, asked: false };
  held.delete(address);
  held.set(address, found); // the newest last
  found.users.add(frame);
  if (found.url || found.why) show(frame, found);
  else if (!found.asked) {
    found.asked = true;
    queue.push(address);
    work();
  }
}

function leave(frame) {
  const found = held.get(frame.dataset.address);
  if (!found || !found.users.delete(frame)) return;
  if (found.users.size === 0) tidy();
}

function tidy() {
  let unused = [...held].filter(([, one]) => one.users.size === 0 && (one.url || one.why));
  for (const [address, one] of unused.slice(0, Math.max(0, unused.length - KEPT))) {
    if (one.url) URL.revokeObjectURL(one.url);
    held.delete(address);
  }
}

function show(frame, found) {
  if (found.url) frame.firstChild.src = found.url;
  else {
    frame.classList.add("gone");
    frame.title = found.why;
    frame.replaceChildren(make("span", { class: "why", text: "no image" }), make("span", { class: "unseen", text: `: ${found.why}` }));
  }
}

async function work() {
  while (running < AT_ONCE && queue.length) {
    const address = queue.pop(); // the newest first: it is what the reader looks at now
    const found = held.get(address);
    if (!found) continue;
    if (found.users.size === 0) {
      held.delete(address);
      continue;
    }
    running += 1;
    fill(address, found).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function fill(address, found) {
  try {
    found.url = URL.createObjectURL(await (await ask(address)).blob());
  } catch (error) {
    found.why = error.message;
  }
  for (const frame of found.users) show(frame, found);
}
