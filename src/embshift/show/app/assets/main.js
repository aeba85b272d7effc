// Starts the page: the token, the run, the pages, and what the address says.
import { addressOf } from "./address.js";
import { askJSON, forgetToken, hasToken, onLocked, takeToken } from "./api.js";
import { startControls } from "./controls.js";
import { byId, count, sentence, shortened } from "./dom.js";
import { startDrop } from "./drop.js";
import { startGallery } from "./gallery.js";
import { startHelp } from "./help.js";
import { startLook } from "./look.js";
import { startMap } from "./map.js";
import { change, changeToAddress, onChange, state } from "./state.js";
import { startTheme } from "./theme.js";
import { startTwo } from "./two.js";
import { startViews } from "./views.js";

const PAGES = ["look", "gallery", "map", "two"];
const LINK = "http://127.0.0.1:PORT/#token=TOKEN";
const MORE = "The token belongs to this tab and to one start of the server, so that no other page and no other user can ask it for your images.";

function stop(title, text, { code = "", more = "" } = {}) {
  byId("loading").hidden = true;
  for (const page of PAGES) byId(`page-${page}`).hidden = true;
  byId("pages").hidden = true;
  byId("open").hidden = true;
  byId("message").hidden = false;
  byId("message-title").textContent = title;
  byId("message-text").textContent = text;
  byId("message-more").textContent = more;
  const place = byId("message-code");
  place.hidden = !code;
  place.firstChild.textContent = code;
  document.title = `${title} · embshift`;
}

function lock() {
  forgetToken();
  stop("This link has no valid token", "The server was started again, or the link is incomplete. Open the whole link that 'embshift serve' printed last:", { code: LINK, more: MORE });
}

function showPage() {
  for (const page of PAGES) byId(`page-${page}`).hidden = page !== state.page;
  for (const link of byId("pages").children) {
    const page = link.dataset.page;
    link.hidden = page === "two" && state.run.encoders.length < 2;
    link.href = addressOf({ ...state, page });
    if (page === state.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function listenToPages() {
  byId("pages").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    change({ page: link.dataset.page }, { push: true });
    window.scrollTo(0, 0);
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
}

function describe(run) {
  byId("run-name").textContent = shortened(run.name, 40);
  byId("run-name").title = run.name;
  byId("notes").textContent = [...new Set(run.notes.map(sentence))].join(" ");
  const encoders = run.encoders.map((one) => one.name).join(" and ");
  byId("about").textContent = `embshift ${run.version} · ${run.name} · ${encoders} · ${count(run.images, "image", "images")}. This page talks to this computer only.`;
}

function begin(run) {
  state.run = run;
  describe(run);
  byId("loading").hidden = true;
  if (!run.transforms.length || !run.images) {
    stop("Nothing to look at", "This run has no views. Measure it with at least one image and one transform, then serve it again.");
    return;
  }
  for (const id of ["pages", "open"]) byId(id).hidden = false;
  const { start } = run;
  Object.assign(state, { page: null, image: start.row, imageId: start.image_id, transform: start.transform ?? run.transforms[0].name });
  onChange(showPage);
  for (const start of [startControls, startLook, startGallery, startMap, startTwo, startViews]) start();
  if (/^#(look|gallery|map|two)\b/.test(location.hash)) {
    state.page = null;
    changeToAddress();
  } else change({ page: start.view || "look", strength: start.strength ?? null });
  window.addEventListener("hashchange", () => {
    if (takeToken()) return location.reload();
    changeToAddress();
  });
}

async function start() {
  startTheme();
  startHelp();
  startDrop();
  listenToPages();
  takeToken();
  if (!hasToken()) {
    stop("Open the link with its token", "This page needs the token that 'embshift serve' prints. Open the whole link from the terminal:", { code: LINK, more: MORE });
    window.addEventListener("hashchange", () => takeToken() && location.reload());
    return;
  }
  onLocked(lock);
  try {
    begin(await askJSON("/api/run"));
  } catch (problem) {
    if (problem.status !== 401) stop("The run could not be loaded", problem.message);
    else window.addEventListener("hashchange", () => takeToken() && location.reload());
  }
}

start();
