// What is around a place: who would be there first, who is responsible, cameras, facilities, similar matters.
import { element } from "../element.js";
import { ago, categoryName, duration, estimated, listed, metres, named, say, translated } from "../text.js";
import { volunteersOf } from "./volunteers.js";

const POSTS = ["police_station", "police_post", "standby_post"];
const RANKED_AT_MOST = 14;

/** @typedef {import("../../types.js").Api["Responder"]} Responder */

/** @param {Responder[]} responders */
export const freeUnits = responders => responders.filter(one => one.is_free && !POSTS.includes(one.kind));

/**
 * Who would be there first; the free units carry the number that sends them.
 * @param {Responder[]} responders
 * @param {((unit: Responder) => void) | null} send null: nobody can be sent here
 */
export function ranked(responders, send) {
  const numbered = freeUnits(responders);
  return [
    element("h3", { textContent: say("whoIsFirst") }),
    element(
      "ol",
      { className: "ranked" },
      ...responders.slice(0, RANKED_AT_MOST).map(one => {
        const number = numbered.indexOf(one) + 1;
        const arrival = one.arrival_s === null ? "" : duration(one.arrival_s) + estimated(one);
        const state = one.is_free ? "" : named("reasons", one.reason);
        return element(
          "li",
          { className: one.is_free ? "" : "quiet" },
          number && number <= 9 && send
            ? element(
                "button",
                { className: "tool", title: say("send"), onclick: () => send(one) },
                element("kbd", { textContent: number }),
              )
            : element("span", {}),
          element("span", { textContent: one.name }),
          element("span", { className: "quiet", textContent: [arrival, state].filter(Boolean).join(" · ") }),
        );
      }),
    ),
  ];
}

/** @param {import("../../types.js").Api["Run"]} run */
export function runCard(run) {
  if (!run.card) return [];
  const missing = run.units
    .filter(({ sent, wanted }) => sent < wanted)
    .map(({ unit_kind: kind, sent, wanted }) => say("missingOf", { kind: named("units", kind), count: wanted - sent }));
  return [
    element("h3", { textContent: say("runCard") }),
    element("p", {
      textContent: listed(
        run.units.map(({ unit_kind: kind, sent, wanted }) =>
          say("kindOf", { kind: named("units", kind), sent, wanted }),
        ),
      ),
    }),
    missing.length
      ? element("p", { className: "then", textContent: say("stillMissing", { units: listed(missing) }) })
      : "",
    run.card.note ? element("p", { className: "quiet", textContent: run.card.note }) : "",
  ];
}

/**
 * @param {import("../../types.js").Api["Duplicate"][]} duplicates
 * @param {(id: number) => void} open
 */
export function proposals(duplicates, open) {
  if (!duplicates.length) return [];
  return [
    element("h3", { textContent: say("maybeTheSame") }),
    element(
      "ul",
      { className: "rows" },
      ...duplicates.slice(0, 4).map(one =>
        element(
          "li",
          {},
          element("button", {
            className: "plain",
            textContent: `#${one.incident_id}`,
            onclick: () => open(one.incident_id),
          }),
          element("span", { textContent: `${categoryName(one.category)} ${one.description.slice(0, 40)}` }),
          element("span", { className: "quiet", textContent: `${metres(one.distance_m)} · ${ago(one.received_at)}` }),
        ),
      ),
    ),
  ];
}

/**
 * @param {string} title
 * @param {import("../../types.js").Api["Near"][]} places
 * @param {((place: import("../../types.js").Api["Near"]) => void) | null} [open] what opens one of them
 */
function near(title, places, open = null) {
  if (!places.length) return [];
  return [
    element("h3", { textContent: title }),
    element(
      "ul",
      { className: "rows" },
      ...places
        .slice(0, 5)
        .map(one =>
          element(
            "li",
            {},
            open
              ? element("button", { className: "plain", textContent: one.name, onclick: () => open(one) })
              : element("span", { textContent: one.name }),
            element("span", { className: "quiet", textContent: listed([metres(one.distance_m), ...sightWords(one)]) }),
          ),
        ),
    ),
  ];
}

/**
 * What is to be known of a camera: when it was here, if it moves, whether it sees the place, what a person noted, and
 * that it does not work.
 * @param {Pick<import("../../types.js").Api["Near"], "sees" | "status" | "sight_note" | "positioned_at">} one
 */
export const sightWords = ({ sees, status, sight_note: noted, positioned_at: at }) =>
  [
    at ? say("wasHere", { ago: ago(at) }) : "",
    sees ? say("seesThePlace") : "",
    sees === false ? say("doesNotSeeThePlace") : "",
    status === "offline" || status === "fault" ? named("cameraStates", status) : "",
    noted ?? "",
  ].filter(Boolean);

/**
 * @param {import("../../types.js").Api["DeskCard"]} card
 * @param {import("./feeds.js").Feeds} feeds open its cameras
 * @param {number | null} incident
 */
export function surroundings(card, feeds, incident) {
  const { location, nearest_cameras: cameras, nearest_facilities: facilities } = card;
  const zone = location.patrol_zone;
  return [
    element("h3", { textContent: say("whoIsResponsible") }),
    location.unassigned ? element("p", { className: "bad", textContent: say("outsideEveryCell") }) : "",
    element(
      "ol",
      { className: "chain" },
      ...[...location.grid_cells].reverse().map(cell =>
        element(
          "li",
          {},
          element("span", { className: "level", textContent: translated(cell, "level_name") }),
          element("b", { textContent: cell.name }),
          ...cell.duties.map(duty =>
            element(
              "div",
              { className: "duty" },
              element("span", { className: "role", textContent: named("duties", duty.duty_role) }),
              ` ${duty.person_name} ${duty.phone}`,
            ),
          ),
        ),
      ),
    ),
    element("p", { textContent: zone ? `${zone.name} · ${zone.responsible_unit}` : say("noZone") }),
    ...near(say("nearestCameras"), cameras, feeds.opener(cameras, incident)),
    feeds.form,
    ...near(say("nearestFacilities"), facilities),
    volunteersOf(/** @type {[number, number]} */ (location.point)),
  ];
}
