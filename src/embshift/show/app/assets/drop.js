// An image from outside: dropped, pasted or chosen. It goes to this computer's own server, nowhere else.
import { ask } from "./api.js";
import { byId } from "./dom.js";
import { openImage, state } from "./state.js";
import { forgetDropped } from "./thumbs.js";

const MOST = 32 * 2 ** 20;

function tell(text) {
  byId("notes").textContent = text;
  byId("announce").textContent = text;
}

async function take(file) {
  if (!file) return tell("There was no image in what was dropped or pasted.");
  if (file.size > MOST) return tell(`This image has ${(file.size / 2 ** 20).toFixed(0)} MiB; the most is 32 MiB.`);
  tell("Reading the image …");
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    await ask("/api/picture", { method: "PUT", headers, body: file });
  } catch (problem) {
    return tell(`The image was not taken: ${problem.message}`);
  }
  tell("");
  forgetDropped();
  state.image = null; // so that a second dropped image is a change
  openImage("dropped", state.transform, { imageId: "dropped" });
}

const filesOf = (transfer) => [...(transfer ? transfer.files : [])];

export function startDrop() {
  const hint = byId("drop-hint");
  let depth = 0;
  const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    depth += 1;
    hint.hidden = false;
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    hint.hidden = depth === 0;
  });
  document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    depth = 0;
    hint.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    take(filesOf(event.dataTransfer)[0]);
  });
  document.addEventListener("paste", (event) => {
    const [file] = filesOf(event.clipboardData);
    if (file) take(file);
  });
  const input = byId("file");
  byId("open").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
}
