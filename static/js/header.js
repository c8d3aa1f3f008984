// The head of every page but kiosks: its mark leads home, and the same doors are open on all of them.
import { element } from "./element.js";
import { logOut } from "./leave.js";
import { may, page } from "./page.js";
import { poll } from "./server.js";
import { number, say } from "./text.js";
import { every } from "./timing.js";

const APPROVALS_MS = 30000;

/** @type {[rights: string, href: string, key: string, name: string][]} each with the rights of which one opens it */
const DOORS = [
  ["map", "/maps/wall", "wall", say("wall")],
  ["incidents.write", "/maps/desk", "desk", say("desk")],
  ["visits.write", "/maps/field", "fieldWork", say("fieldWork")],
  ["boundaries.draft", "/maps/planner", "planning", say("planning")],
  ["map", "/maps/response", "response", say("response")],
  ["incidents.text", "/supervision", "supervision", say("supervision")],
  ["incidents.read", "/maps/indicators", "indicators", say("indicators")],
  ["map", "/collections", "data", say("data")],
  ["layers.write", "/imports", "import", say("import")],
  ["workflow.rules duties.write layers.write", "/rules", "rules", say("rules")],
  ["accounts", "/admin", "manageAccounts", say("manageAccounts")],
  ["audit", "/auditor", "audit", say("audit")],
  ["account", "/account", "myAccount", say("myAccount")],
  ["account", "/docs", "api", say("api")],
];

/** The doors that the user's rights open; none before the log-in, or while something must be done first. */
export const openDoors = () =>
  DOORS.filter(([rights]) => rights.split(" ").some(may) && !page.person?.must && !page.person?.isKiosk);

/** A link to a page in the language of this one; resources of OGC API choose theirs by the browser. */
const inLanguage = (/** @type {string} */ href) =>
  page.lang === "zh" || href === "/collections" || href === "/docs" ? href : `${href}?lang=${page.lang}`;

/** Links to the pages that the user's rights open. */
export function doorsOf() {
  const here = location.pathname;
  return element(
    "nav",
    { className: "doors", id: "doors", ariaLabel: say("doors") },
    ...openDoors().map(([, href, , name]) => {
      const link = element("a", { href: inLanguage(href), textContent: name });
      if (href === "/maps/planner" && may("boundaries.approve")) tellApprovals(link);
      if (here.endsWith(href)) link.setAttribute("aria-current", "page");
      return link;
    }),
  );
}

/** Tells whoever approves, on whatever page they are, that drafts wait. @param {HTMLElement} link to the planner */
function tellApprovals(link) {
  const badge = element("b", { className: "badge", hidden: true });
  link.append(badge);
  const look = async () => {
    const { drafts } = await poll("/boundaries/drafts?open=true", { patience: 0 });
    const count = drafts.filter(draft => draft.submitted_at && !draft.approved_at).length;
    badge.textContent = number(count);
    badge.ariaLabel = badge.title = say("waitForApproval", { count });
    badge.hidden = !count;
  };
  every(APPROVALS_MS, look, 0);
}

/**
 * The head of a page; a screen without a person has no doors, and stays.
 * @param {string} title
 * @param {(Node | null)[]} between what a page has of its own between its doors and the user
 */
export function header(title, ...between) {
  const { person } = page;
  const nav = doorsOf();
  const isFree = person && !person.must && !person.isKiosk;
  const mark = element("img", { src: "/static/icon.svg", alt: isFree ? say("home") : "" });
  return element(
    "header",
    { className: "bar" },
    isFree ? element("a", { className: "mark", href: inLanguage("/") }, mark) : mark,
    element("h1", { textContent: title }),
    page.isDemo ? element("span", { className: "demo", textContent: say("demoData") }) : null,
    nav.childElementCount ? opener(nav) : null,
    nav,
    ...between,
    person ? element("span", { className: "quiet who", textContent: person.name }) : null,
    page.isFixed ? null : language(),
    person && !person.isKiosk
      ? element("button", { className: "plain", textContent: say("logOut"), onclick: () => logOut() })
      : null,
  );
}

/** The button that shows the doors where there is no room for them beside each other. */
function opener(/** @type {HTMLElement} */ nav) {
  const button = element("button", { className: "plain opener", textContent: `☰ ${say("doors")}` });
  const show = (/** @type {boolean} */ isOpen) => {
    nav.classList.toggle("is-open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
  };
  button.setAttribute("aria-controls", nav.id);
  show(false);
  button.onclick = () => show(!nav.classList.contains("is-open"));
  nav.onkeydown = event => {
    if (event.key !== "Escape") return;
    show(false);
    button.focus();
  };
  return button;
}

function language() {
  const other = new URL(location.href);
  other.searchParams.set("lang", page.lang === "zh" ? "en" : "zh");
  return element("a", { href: other.href, textContent: say("otherLanguage") });
}
