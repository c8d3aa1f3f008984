// Pictures beside an incident: up to four cameras that see it, opened for one stated reason; each is large in turn.
import { askingForm } from "../desk/asking.js";
import { Feeds } from "../desk/feeds.js";
import { element } from "../element.js";
import { may, page } from "../page.js";
import { categoryName, listed, named, say } from "../text.js";

/** @typedef {import("../../types.js").Api["DeskCard"]} DeskCard */

const MOST = 4;
const TURN_MS = 8000;
const WORKS = [undefined, null, "online"];

export class Pictures {
  constructor() {
    this.told = element("p", { className: "why" });
    this.told.setAttribute("role", "status");
    this.feeds = new Feeds(message => this.tell(message));
    this.feeds.box.prepend(this.told);
    this.asking = element("div", { className: "asking" });
    /** @type {DeskCard | null} */
    this.card = null;
    setInterval(() => this.turn(), TURN_MS);
  }

  get isShown() {
    return !this.feeds.box.hidden;
  }

  /** What the card of an incident has for whoever may open cameras. @param {DeskCard} card @returns {Node[]} */
  offer(card) {
    this.asking.replaceChildren();
    const mayOpen = may("cameras.open") && !page.person?.isKiosk;
    this.card = card.incident && mayOpen && camerasOf(card).length ? card : null;
    if (!this.card) return [];
    return [
      element(
        "button",
        { type: "button", className: "action", onclick: () => this.begin() },
        say("picturesOf", { count: camerasOf(card).length }),
        element("kbd", { textContent: "V" }),
      ),
      this.asking,
    ];
  }

  /** Asks what for. */
  begin() {
    const { card } = this;
    if (!card?.incident) return;
    const { incident } = card;
    const cameras = camerasOf(card);
    const { form, focus } = askingForm(
      say("openACamera"),
      [{ name: "reason", label: say("whyIsItOpened") }],
      ({ reason }) => {
        this.asking.replaceChildren();
        return this.open(incident, cameras, String(reason));
      },
      () => this.asking.replaceChildren(),
    );
    form.prepend(element("p", { className: "quiet", textContent: listed(cameras.map(one => one.name)) }));
    this.asking.replaceChildren(form);
    focus();
  }

  /**
   * Opens cameras for an incident, each of them on record; those of another go.
   * @param {NonNullable<DeskCard["incident"]>} incident
   * @param {DeskCard["nearest_cameras"]} cameras
   * @param {string} reason
   */
  async open(incident, cameras, reason) {
    this.feeds.closeAll();
    const { category, subtype, incident_id: id, step } = incident;
    const what = [categoryName(category), subtype, `#${id}`, named("steps", step), reason];
    this.told.textContent = what.filter(Boolean).join(" · ");
    for (const camera of cameras) {
      try {
        await this.feeds.open(camera, reason, incident.incident_id);
      } catch (error) {
        this.tell(error.message); // the others would be refused for the same
        return;
      }
    }
    this.turn();
  }

  /** @param {string} message */
  tell(message) {
    this.told.textContent = message;
    this.feeds.box.hidden = false;
  }

  /** Makes the next one large; words without a picture have been read by now. */
  turn() {
    const all = [...this.feeds.box.querySelectorAll("figure")];
    if (!all.length) this.feeds.box.hidden = true;
    const at = all.findIndex(one => one.classList.contains("large"));
    all.forEach((one, number) => one.classList.toggle("large", number === (at + 1) % all.length));
  }
}

/** Those that see the place go first; one that is off shows nothing. @param {DeskCard} card */
const camerasOf = ({ nearest_cameras: cameras }) =>
  cameras.filter(({ status }) => WORKS.includes(status)).slice(0, MOST);
