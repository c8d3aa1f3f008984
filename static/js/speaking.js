// Translates keys of the catalogue to sentences in one language.
import { CODES, WORDS } from "./words.js";

const AT = { zh: 0, en: 1 };

/**
 * @template {keyof typeof WORDS} Key
 * @typedef {import("../types.js").Named<(typeof WORDS)[Key][0]>} Names the values that a sentence asks for
 */

/**
 * Returns the functions that translate to one language.
 * @param {"zh" | "en"} lang
 */
export function speaker(lang) {
  /**
   * A sentence by its key, with its values.
   * @template {keyof typeof WORDS} Key
   * @param {Key} key
   * @param {[Names<Key>] extends [never] ? [] : [Record<Names<Key>, string | number>]} given
   * @returns {string}
   */
  function say(key, ...given) {
    const values = /** @type {Record<string, string | number>} */ (given[0] ?? {});
    return WORDS[key][AT[lang]].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  /**
   * The label of a code of the server; codes that are not in the catalogue are returned unchanged.
   * @param {keyof typeof CODES} group
   * @param {string} code
   * @returns {string}
   */
  function named(group, code) {
    const found = /** @type {Record<string, readonly [string, string]>} */ (CODES[group]);
    return Object.hasOwn(found, code) ? found[code][AT[lang]] : code;
  }

  return { say, named };
}
