// Signs and words drawn once each, and kept: to paint one again is to copy a small picture.
import { look } from "../look.js";
import { painted, themeNow } from "../signs.js";

const FONT = "'Noto Sans SC', 'Noto Sans CJK SC', sans-serif";
const KEPT = 4000; // names come and go while somebody pans: a wall that runs for weeks must not keep them all
const SIGN = 24;
const LETTERS = 13;

/**
 * A picture, and its size in CSS pixels.
 * @typedef {{ picture: HTMLCanvasElement, width: number, height: number }} Sprite
 */

/** @type {Map<string, Sprite>} */
const kept = new Map();

/** Device pixels per CSS pixel of Leaflet's canvases, which know one and two. */
export const ratio = window.devicePixelRatio > 1 ? 2 : 1;

/**
 * @param {string} key what the sprite shows; the theme is added
 * @param {() => Sprite} draw
 */
function keep(key, draw) {
  const full = `${themeNow()} ${key}`;
  let found = kept.get(full);
  if (!found) {
    if (kept.size >= KEPT) kept.clear();
    found = draw();
    kept.set(full, found);
  }
  return found;
}

/** @param {number} width @param {number} height in CSS pixels */
function paper(width, height) {
  const picture = document.createElement("canvas");
  picture.width = Math.ceil(width * ratio);
  picture.height = Math.ceil(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
  context.scale(ratio, ratio);
  return { context, sprite: { picture, width: picture.width / ratio, height: picture.height / ratio } };
}

/**
 * The sign of a thing.
 * @param {string} layer @param {string} state @param {number} size in CSS pixels
 * @param {boolean} [isLate] whether a ring says that it is overdue
 * @param {string} [icon] letters beside it, which say of what kind it is
 */
export const signSprite = (layer, state, size, isLate = false, icon = "") =>
  keep(`${layer} ${state} ${size} ${isLate} ${icon}`, () => {
    const room = Math.max(size + 4, isLate ? size * 1.5 : 0, icon ? size * 2 : 0);
    const { context, sprite } = paper(room, room);
    context.translate(room / 2, room / 2);
    context.scale(size / SIGN, size / SIGN);
    if (isLate) {
      context.lineWidth = 3;
      context.strokeStyle = look().incidents;
      context.beginPath();
      context.arc(0, 0, 16, 0, 2 * Math.PI);
      context.stroke();
    }
    context.translate(-SIGN / 2, -SIGN / 2);
    for (const { line, fill, stroke, width } of painted(layer, state, themeNow())) {
      const path = new Path2D(line);
      if (fill !== "none") {
        context.fillStyle = fill;
        context.fill(path);
      }
      if (stroke !== "none") {
        context.strokeStyle = stroke;
        context.lineWidth = width;
        context.stroke(path);
      }
    }
    if (icon) letters(context, icon);
    return sprite;
  });

/**
 * Letters below a sign on the right, in its square of 24 units.
 * @param {CanvasRenderingContext2D} context @param {string} text
 */
function letters(context, text) {
  context.font = `700 ${LETTERS}px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = look().halo;
  context.strokeText(text, SIGN, SIGN - 2);
  context.fillStyle = look().label;
  context.fillText(text, SIGN, SIGN - 2);
}

/**
 * A disc with how many things it stands for; of its border a part says how many do not work.
 * @param {number} count @param {number} size in CSS pixels @param {number} [share] that do not work, 0 to 1
 */
export const countSprite = (count, size, share = 0) =>
  keep(`count ${count} ${size} ${share.toFixed(2)}`, () => {
    const { context, sprite } = paper(size + 2, size + 2);
    context.translate(size / 2 + 1, size / 2 + 1);
    context.beginPath();
    context.arc(0, 0, size / 2, 0, 2 * Math.PI);
    context.globalAlpha = 0.75;
    context.fillStyle = look().background;
    context.fill();
    context.strokeStyle = look().cameras;
    context.stroke();
    context.globalAlpha = 1;
    if (share > 0) {
      context.beginPath();
      context.arc(0, 0, size / 2, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
      context.lineWidth = 2.5;
      context.strokeStyle = look().incidents;
      context.stroke();
    }
    context.font = `${Math.round(size * 0.45)}px ${FONT}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = look().label;
    context.fillText(String(count), 0, 0);
    return sprite;
  });

const ruler = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * A name with a halo.
 * @param {string} text @param {number} size of the letters in CSS pixels @param {boolean} isStrong
 */
export const nameSprite = (text, size, isStrong) =>
  keep(`name ${text} ${size} ${isStrong}`, () => {
    const font = `${isStrong ? 600 : 400} ${size}px ${FONT}`;
    ruler.font = font;
    const { context, sprite } = paper(ruler.measureText(text).width + 8, size * 1.4);
    context.font = font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = Math.max(3, size / 5);
    context.strokeStyle = look().halo;
    context.strokeText(text, sprite.width / 2, sprite.height / 2);
    context.fillStyle = isStrong ? look().outline : look().label;
    context.fillText(text, sprite.width / 2, sprite.height / 2);
    return sprite;
  });

/** Forgets all pictures: a font that has just come may draw them otherwise. */
export const forget = () => kept.clear();
