// Cameras opened from the desk: one form that asks what for, and up to four live pictures in a row.
import { at } from "../address.js";
import { element } from "../element.js";
import { now } from "../now.js";
import { may } from "../page.js";
import { poll, write } from "../server.js";
import { duration, metres, say } from "../text.js";
import { askingForm } from "./asking.js";
import { steeringOf } from "./steering.js";

/** @typedef {import("../../types.js").Api["Near"]} Camera */
/** @typedef {import("../../types.js").Api["FeedState"]} FeedState */

const PLAYER = "../../vendor/hls/hls.light.min.mjs"; // loaded when the first camera is asked for
const KEY = "v";
const PATIENT_MS = 30000;
const MATTER = { name: "matter", label: say("forWhichMatter"), type: "number", isOptional: true };
const COUNTS_MS = 1000;
const PLAYING = {
  enableWorker: false,
  liveSyncDuration: 1,
  liveMaxLatencyDuration: 6,
  maxBufferLength: 8,
  backBufferLength: 4,
  manifestLoadPolicy: {
    default: { maxTimeToFirstByteMs: PATIENT_MS, maxLoadTimeMs: PATIENT_MS, timeoutRetry: null, errorRetry: null },
  },
  // what plays is no act of a person: it does not extend the session
  xhrSetup: (/** @type {XMLHttpRequest} */ request) => request.setRequestHeader("Geo-Grid-Background", "1"),
};

export class Feeds {
  /** @param {(message: string) => void} tell */
  constructor(tell) {
    this.tell = tell;
    this.form = element("div", { className: "asking" });
    this.box = element("section", { className: "feeds", ariaLabel: say("pictures"), hidden: true });
    document.body.append(this.box);
    /** @type {Set<() => void>} what closes each of those that are open */
    this.closing = new Set();
    /** @type {Camera[]} */
    this.cameras = [];
    /** @type {number | null} */
    this.incident = null;
  }

  /**
   * What opens one of these cameras; null: there is none, or whoever looks may not.
   * @param {Camera[]} cameras
   * @param {number | null} incident what they are opened for
   */
  opener(cameras, incident) {
    if (incident !== this.incident || !this.form.childElementCount) this.forget();
    this.incident = incident;
    this.cameras = may("cameras.open") ? cameras : [];
    return this.cameras.length ? camera => this.begin(camera) : null;
  }

  /** Nothing is shown any more that a camera could be opened for; pictures stay. */
  forget() {
    this.cameras = [];
    this.incident = null;
    this.form.replaceChildren();
  }

  /** @param {string} key pressed with Shift @returns {boolean} whether it stood for something */
  press(key) {
    if (key !== KEY || !this.cameras.length) return false;
    this.begin(this.cameras[0]);
    return true;
  }

  /** Asks what for. @param {Camera} first */
  begin(first) {
    const choices = [first, ...this.cameras.filter(one => one.code !== first.code)];
    const { incident } = this;
    const { form, focus } = askingForm(
      say("openACamera"),
      [
        { name: "reason", label: say("whyIsItOpened") },
        {
          name: "camera",
          label: say("whichCamera"),
          choices: choices.map(one => ({ value: one.code, text: `${one.name} · ${metres(one.distance_m)}` })),
        },
        ...(incident
          ? []
          : [/** @type {import("./asking.js").Field} */ (MATTER)]),
      ],
      ({ camera, reason, matter }) => {
        const chosen = choices.find(one => one.code === camera);
        if (!chosen) return;
        this.open(chosen, reason, incident ?? (matter || null)).then(
          () => form.remove(),
          error => this.tell(error.message),
        );
      },
      () => this.form.replaceChildren(),
    );
    this.form.replaceChildren(form);
    focus();
    import(PLAYER).catch(() => {}); // so that it is there before the picture; who opens one is told if it is not
  }

  closeAll() {
    for (const close of this.closing) close();
  }

  /**
   * Opens one, and shows it.
   * @param {Camera} camera
   * @param {string | number} reason
   * @param {string | number | null} incident
   */
  async open(camera, reason, incident) {
    const { feed } = await write("POST", `/cameras/${camera.code}/openings`, { reason, incident_id: incident });
    if (feed) this.show(camera, feed).catch(error => this.tell(error.message));
    else this.tell(say("shownElsewhere"));
  }

  /** @param {Camera} camera @param {FeedState} feed */
  async show(camera, feed) {
    const video = element("video", { muted: true, autoplay: true, playsInline: true });
    const left = element("span", { className: "quiet" });
    const words = element("p", { textContent: say("pictureComes") });
    words.setAttribute("role", "status");
    const count = () => {
      const seconds = (Date.parse(feed.ends_at) - now().getTime()) / 1000;
      left.textContent = say("pictureEnds", { time: duration(Math.max(0, seconds)) });
    };
    count();
    const timer = setInterval(count, COUNTS_MS);
    const ends = [() => clearInterval(timer)];
    const steering = feed.steers ? steeringOf(feed.feed_id, this.tell) : null;
    if (steering) ends.push(steering.end, () => steering.pad.remove());
    let isOver = false;
    const stop = () => {
      isOver = true;
      for (const end of ends) end();
    };
    const close = () => {
      stop();
      shown.remove();
      this.closing.delete(close);
      this.box.hidden = !this.closing.size;
      write("DELETE", `/feeds/${feed.feed_id}`).catch(() => {}); // it may be over
    };
    const shown = element(
      "figure",
      {},
      video,
      words,
      steering?.pad,
      element(
        "figcaption",
        {},
        element("b", { textContent: camera.name }),
        left,
        element("button", {
          className: "plain",
          textContent: "×",
          title: say("closePicture"),
          ariaLabel: `${say("closePicture")} ${camera.name}`,
          onclick: close,
        }),
      ),
    );
    this.box.append(shown);
    this.closing.add(close);
    this.box.hidden = false;
    video.addEventListener("timeupdate", () => (words.hidden = video.currentTime > 0));
    const fail = async (/** @type {string} */ why) => {
      if (isOver) return;
      stop();
      left.textContent = "";
      video.remove();
      words.hidden = false;
      words.className = "bad";
      words.textContent = why;
      const state = await poll(`/feeds/${feed.feed_id}`).catch(error => ({ why: error.message, codec: null }));
      const isPlayable = !state.codec || MediaSource.isTypeSupported(`video/mp4; codecs="${state.codec}"`);
      words.textContent = isPlayable ? state.why || why : say("cannotBePlayed", { codec: state.codec ?? "" });
      if (!isPlayable) write("DELETE", `/feeds/${feed.feed_id}`).catch(() => {});
    };
    const { default: Hls } = await import(PLAYER);
    if (isOver) return;
    const player = new Hls(PLAYING);
    ends.push(() => player.destroy());
    player.on(Hls.Events.ERROR, (_, told) => told.fatal && fail(told.error.message));
    player.loadSource(at(feed.playlist));
    player.attachMedia(video);
  }
}
