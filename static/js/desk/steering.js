// Steering of a camera beside its picture: what is held moves it, what is let go stops it; buttons, and keys on them.
import { element } from "../element.js";
import { write } from "../server.js";
import { named, say } from "../text.js";

const AGAIN_MS = 500; // while it is held; the server stops it by itself a second after the last word
const LASTS_S = 1;
/** @typedef {{ pan?: -1 | 0 | 1, tilt?: -1 | 0 | 1, zoom?: -1 | 0 | 1 }} Movement */
const MOVEMENTS = /** @type {const} */ ([
  ["ArrowLeft", "←", "left", { pan: -1 }],
  ["ArrowUp", "↑", "up", { tilt: 1 }],
  ["ArrowDown", "↓", "down", { tilt: -1 }],
  ["ArrowRight", "→", "right", { pan: 1 }],
  ["+", "＋", "nearer", { zoom: 1 }],
  ["-", "－", "wider", { zoom: -1 }],
]);

/**
 * @param {string} feed
 * @param {(message: string) => void} tell what the server says against it
 * @returns {{ pad: HTMLElement, end: () => void }}
 */
export function steeringOf(feed, tell) {
  /** @type {Movement | null} what is held */
  let held = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const send = (/** @type {Movement} */ movement) =>
    write("POST", `/feeds/${feed}/movements`, { ...movement, lasts_s: LASTS_S }).catch(error => {
      end();
      tell(error.message);
    });

  /** @param {Movement} movement */
  function hold(movement) {
    if (held === movement) return;
    clearInterval(timer);
    held = movement;
    send(movement);
    timer = setInterval(() => send(movement), AGAIN_MS);
  }
  function letGo() {
    if (!held) return;
    end();
    send({});
  }
  function end() {
    clearInterval(timer);
    held = null;
  }

  const pad = element(
    "div",
    { className: "steering" },
    ...MOVEMENTS.map(([, textContent, word, movement]) => {
      const told = { textContent, title: named("steering", word), ariaLabel: named("steering", word) };
      const made = element("button", { type: "button", className: "plain", ...told });
      made.onpointerdown = event => {
        if (event.button !== 0) return;
        made.setPointerCapture(event.pointerId); // so that it is heard of wherever it is let go
        hold(movement);
      };
      made.onpointerup = made.onpointercancel = letGo;
      return made;
    }),
  );
  pad.setAttribute("role", "group");
  pad.ariaLabel = say("steering");
  pad.onkeydown = event => {
    const found = MOVEMENTS.find(([key]) => key === event.key || (key === "+" && event.key === "="));
    const own = event.key === " " || event.key === "Enter" ? movementOf(event.target) : null;
    const movement = found?.[3] ?? own;
    if (!movement || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    hold(movement);
  };
  pad.onkeyup = letGo;
  pad.addEventListener("focusout", letGo);

  /** @param {EventTarget | null} button */
  function movementOf(button) {
    const at = [...pad.children].findIndex(one => one === button);
    return at < 0 ? null : MOVEMENTS[at][3];
  }
  return { pad, end: letGo };
}
