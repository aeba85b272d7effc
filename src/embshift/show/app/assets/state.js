// What the reader has chosen. Every choice goes through change(), which also keeps the address.
import { readAddress, writeAddress } from "./address.js";

export const state = {
  run: null,
  page: "look",
  image: null, // a row, an image's id from an address, or "dropped"
  imageId: null,
  transform: null,
  strength: null, // null: as recorded
  draw: 0,
  layer: null,
  head: null,
  overlay: "map",
  filter: "",
  order: "most",
  plane: "images",
  keys: true,
};

const listeners = [];

export function onChange(act) {
  listeners.push(act);
}

export function change(values, { push = false, dragging = false } = {}) {
  const changed = new Set(Object.keys(values).filter((key) => state[key] !== values[key]));
  Object.assign(state, values);
  writeAddress(state, push);
  for (const act of listeners) act(changed, dragging);
}

export const transformNamed = (name) => state.run.transforms.find((one) => one.name === name);

export const chosenTransform = () => transformNamed(state.transform);

// Takes what an address says, and leaves out what this run does not have.
export function changeToAddress() {
  const wanted = readAddress(location.hash);
  if (wanted.transform !== undefined && !transformNamed(wanted.transform)) {
    delete wanted.transform;
    delete wanted.strength;
  }
  if (wanted.filter && !transformNamed(wanted.filter)) wanted.filter = "";
  if (wanted.page === "two" && state.run.encoders.length < 2) wanted.page = "look";
  change({ page: state.page ?? "look", ...wanted });
}

export function openImage(image, transform, { strength = null, page = "look", imageId = null } = {}) {
  change({ page, image, imageId, transform, strength, draw: 0 }, { push: true });
}

export function chooseTransform(name) {
  change({ transform: name, strength: null, draw: 0 });
}
