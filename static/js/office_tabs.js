// Sections of a page, one of them open: tabs by keyboard and mouse, the open one in the address, loaded when opened.
import { element } from "./element.js";
import { button } from "./office.js";
import { say } from "./text.js";

/**
 * What a section may do with its page.
 * @typedef {{
 *   done: (said: string, undo?: () => unknown) => void,
 *   fail: (error: Error) => void,
 *   again: () => Promise<void>,
 *   act: (work: () => Promise<unknown>) => Promise<void>,
 * }} Bench `done` says what happened, and offers to undo it; `again` loads the section anew; `act` does something, then
 *   loads anew, or says why it could not be done
 * @typedef {{ key: string, title: string, show: (bench: Bench) => Promise<(Node | string | null)[]> }} Section
 */

/**
 * Makes tabs and the sections under them; resolves when the first is loaded.
 * @param {HTMLElement} main
 * @param {Section[]} sections
 */
export async function tabbed(main, sections) {
  const news = element("div", { className: "wide news" });
  news.setAttribute("role", "status");
  const bar = element("div", { className: "wide tabs" });
  bar.setAttribute("role", "tablist");
  const shown = element("div", { className: "wide section", id: "section" });
  shown.setAttribute("role", "tabpanel");
  /** @type {Section} */
  let open = sections[0];
  let turn = 0;

  /** @type {Bench["done"]} */
  const done = (said, undo) => {
    const line = element("p", { className: "note" }, said, " ");
    if (undo) {
      line.append(
        button(say("undoIt"), () =>
          act(async () => {
            await undo();
            done(say("undone"));
          }),
        ),
      );
    }
    news.replaceChildren(line);
  };
  const fail = (/** @type {Error} */ error) =>
    news.replaceChildren(element("p", { className: "note bad", textContent: error.message }));
  const act = async (/** @type {() => Promise<unknown>} */ work) => {
    try {
      await work();
    } catch (error) {
      fail(error);
    }
    await load();
  };

  async function load() {
    const mine = (turn += 1);
    shown.setAttribute("aria-busy", "true");
    const wait = setTimeout(() => shown.replaceChildren(element("p", {}, say("loading"))), 400);
    try {
      const parts = await open.show({ done, fail, again: load, act });
      if (mine === turn) shown.replaceChildren(...parts.filter(part => part !== null));
    } catch (error) {
      if (mine !== turn) return;
      shown.replaceChildren(
        element("p", { className: "bad", textContent: error.message }),
        button(say("tryAgain"), load),
      );
    } finally {
      clearTimeout(wait);
      if (mine === turn) shown.removeAttribute("aria-busy");
    }
  }

  const tabs = sections.map(one => {
    const tab = element("button", {
      className: "tab",
      type: "button",
      id: `tab-${one.key}`,
      textContent: one.title,
      onclick: () => {
        news.replaceChildren();
        return choose(one);
      },
    });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", shown.id);
    return tab;
  });
  bar.onkeydown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -sections.length, End: sections.length }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = sections.indexOf(open) + step;
    const last = sections.length - 1;
    const next = Math.abs(step) === 1 ? (at + sections.length) % sections.length : Math.min(last, Math.max(0, at));
    tabs[next].focus();
    tabs[next].click();
  };

  function choose(/** @type {Section} */ one) {
    open = one;
    sections.forEach((section, number) => {
      tabs[number].setAttribute("aria-selected", String(section === one));
      tabs[number].tabIndex = section === one ? 0 : -1;
    });
    shown.setAttribute("aria-labelledby", `tab-${one.key}`);
    history.replaceState(null, "", `#${one.key}`);
    return load();
  }

  bar.append(...tabs);
  main.append(bar, news, shown);
  const inAddress = () => sections.find(one => `#${one.key}` === location.hash);
  addEventListener("hashchange", () => {
    const wanted = inAddress();
    if (wanted && wanted !== open) choose(wanted);
  });
  await choose(inAddress() ?? open);
}
