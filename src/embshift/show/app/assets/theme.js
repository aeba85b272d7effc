// Light and dark: what the system prefers, until the button is pressed.
import { byId } from "./dom.js";

const KEY = "embshift-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

export const isDark = () => document.documentElement.dataset.theme === "dark";

export function onTheme(act) {
  listeners.push(act);
}

export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function set(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const button = byId("theme");
  button.textContent = dark ? "Light" : "Dark";
  button.setAttribute("aria-label", dark ? "Switch to light colours" : "Switch to dark colours");
  for (const act of listeners) act();
}

export function startTheme() {
  const kept = sessionStorage.getItem(KEY);
  set(kept ? kept === "dark" : system.matches);
  byId("theme").addEventListener("click", () => {
    sessionStorage.setItem(KEY, isDark() ? "light" : "dark");
    set(!isDark());
  });
  system.addEventListener("change", (event) => {
    if (!sessionStorage.getItem(KEY)) set(event.matches);
  });
}
