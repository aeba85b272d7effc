// Addresses: #look/IMAGE/blur/2.4/draw1/layer3-head1 · #two/… · #gallery/blur/least · #map/blur/own
const PAGES = ["look", "gallery", "map", "two"];

function parts(hash) {
  try {
    return hash.replace(/^#/, "").split("/").map(decodeURIComponent);
  } catch {
    return []; // the address has an invalid escape
  }
}

function readView([image, transform, ...more]) {
  const found = { strength: null, draw: 0, layer: null, head: null };
  if (image) Object.assign(found, { image, imageId: image });
  if (transform) found.transform = transform;
  for (const part of more) {
    const draw = /^draw(\d{1,4})$/.exec(part);
    const inside = /^layer(\d{1,4})-head(\d{1,4})$/.exec(part);
    if (draw) found.draw = Number(draw[1]);
    else if (inside) Object.assign(found, { layer: Number(inside[1]), head: Number(inside[2]) });
    else if (part !== "" && Number.isFinite(Number(part))) found.strength = Number(part);
  }
  return found;
}

export function readAddress(hash) {
  const [page, ...rest] = parts(hash);
  if (!PAGES.includes(page)) return {};
  if (page === "gallery") return { page, filter: rest[0] || "", order: rest[1] === "least" ? "least" : "most" };
  if (page === "map") return { page, ...(rest[0] ? { transform: rest[0] } : {}), plane: rest[1] === "own" ? "own" : "images" };
  return rest.length && rest[0] ? { page, ...readView(rest) } : { page };
}

function viewParts(state) {
  const image = state.imageId ?? state.image;
  if (image === null || !state.transform) return [];
  const found = [image, state.transform];
  if (state.strength !== null) found.push(Number(state.strength.toPrecision(4)));
  if (state.draw) found.push(`draw${state.draw}`);
  if (state.layer !== null) found.push(`layer${state.layer}-head${state.head}`);
  return found;
}

export function addressOf(state) {
  const rest = {
    look: () => viewParts(state),
    two: () => viewParts(state),
    gallery: () => (state.order === "least" ? [state.filter, "least"] : state.filter ? [state.filter] : []),
    map: () => (state.plane === "own" ? [state.transform, "own"] : [state.transform]),
  }[state.page]();
  return `#${[state.page, ...rest].map((part) => encodeURIComponent(part)).join("/")}`;
}

export function writeAddress(state, push) {
  const wanted = addressOf(state);
  if (wanted === location.hash) return;
  if (push) history.pushState(null, "", wanted);
  else history.replaceState(null, "", wanted);
}
