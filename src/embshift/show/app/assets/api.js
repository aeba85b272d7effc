// Questions to the server of this page, each with the token from the printed link.
import { sentence } from "./dom.js";

const KEY = "embshift-token";
const GONE = "The server does not answer. Is 'embshift serve' still running in the terminal?";

export class Problem extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

// The token leaves the address at once, so that nobody copies it with a link.
export function takeToken() {
  const found = /^#token=([^/&]*)(?:[/&](.*))?$/.exec(location.hash);
  if (!found) return false;
  sessionStorage.setItem(KEY, found[1]);
  history.replaceState(null, "", found[2] ? `${location.pathname}#${found[2]}` : location.pathname);
  return true;
}

export const hasToken = () => Boolean(sessionStorage.getItem(KEY));

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

let locked = () => {};

export function onLocked(act) {
  locked = act;
}

async function reason(response) {
  try {
    return sentence((await response.json()).error);
  } catch {
    return `The server answered ${response.status} without words.`;
  }
}

export async function ask(path, options = {}) {
  const headers = { ...options.headers, Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(GONE, 0);
  }
  if (response.ok) return response;
  if (response.status === 401) locked();
  throw new Problem(await reason(response), response.status);
}

export const askJSON = async (path) => (await ask(path)).json();

// Length, JSON, bodies: offsets count from the end of the JSON.
export async function askPacked(path, options) {
  const buffer = await (await ask(path, options)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { head, at: (offset, size) => buffer.slice(4 + length + offset, 4 + length + offset + size) };
}

export function askView(wanted) {
  const headers = { "Content-Type": "application/json" };
  return askPacked("/api/view", { method: "POST", headers, body: JSON.stringify(wanted) });
}

// One job at a time. Of the jobs that come meanwhile only the newest is done.
export class Newest {
  #act;
  #busy = false;
  #waiting = null;

  constructor(act) {
    this.#act = act;
  }

  get free() {
    return this.#waiting === null;
  }

  async ask(job) {
    this.#waiting = job;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting !== null) {
        const next = this.#waiting;
        this.#waiting = null;
        await this.#act(next);
      }
    } finally {
      this.#busy = false;
    }
  }
}
