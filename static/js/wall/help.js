// The drawer behind `?`: search, legend and layers, keys, account. Nothing that a wall needs is in it.
import { element } from "../element.js";
import { doorsOf } from "../header.js";
import { logOut } from "../leave.js";
import { page } from "../page.js";
import { readPlace } from "../places.js";
import { say } from "../text.js";
import { canvas } from "./canvas.js";

const other = page.lang === "zh" ? "en" : "zh";
export const switchLanguage = () => {
  const address = new URL(location.href);
  address.searchParams.set("lang", other);
  location.href = address.href;
};

/**
 * @param {HTMLElement} legend
 * @param {(place: { lat: number, lon: number }) => void} onPlace
 * @param {() => void} stop called before the user logs out
 */
export function helpDrawer(legend, onPlace, stop) {
  const place = element("input", {
    type: "search",
    className: "place",
    placeholder: say("placeExample"),
    ariaLabel: say("placeExample"),
  });
  const wrong = element("p", { className: "bad", hidden: true });
  const { isTooSmall, base, distance, pitch } = canvas();
  const letters = { base, distance, pitch };
  const drawer = element(
    "nav",
    { className: "help panel", hidden: true, ariaLabel: say("help") },
    element(
      "form",
      {
        onsubmit: event => {
          event.preventDefault();
          const found = readPlace(place.value);
          wrong.hidden = found !== null;
          wrong.textContent = say("placeIsBad");
          if (found) onPlace(found);
        },
      },
      place,
      wrong,
    ),
    legend,
    element("p", { className: "quiet", textContent: say("clickHelp") }),
    element("p", { className: "quiet keys", textContent: say("wallKeys") }),
    element("p", {
      className: isTooSmall ? "bad" : "quiet",
      textContent: isTooSmall ? say("lettersTooSmall", letters) : say("lettersAre", letters),
    }),
    doorsOf(),
    element(
      "p",
      { className: "own" },
      element("button", { className: "plain", textContent: say("otherLanguage"), onclick: switchLanguage }),
      ...(page.person?.isKiosk
        ? []
        : [
            element("a", { className: "plain", href: `/?lang=${page.lang}`, textContent: say("home") }),
            element("button", { className: "plain", textContent: say("logOut"), onclick: () => logOut(stop) }),
            element("span", { className: "quiet", textContent: page.person?.name }),
          ]),
    ),
  );
  const button = element(
    "button",
    { type: "button", className: "plain", onclick: () => toggle() },
    say("help"),
    element("kbd", { textContent: "?" }),
  );
  /** @param {boolean} [isShown] */
  function toggle(isShown = drawer.hidden) {
    drawer.hidden = !isShown;
    button.setAttribute("aria-expanded", String(isShown));
  }
  toggle(false);
  return {
    drawer,
    button,
    toggle,
    find() {
      toggle(true);
      place.focus();
    },
  };
}
