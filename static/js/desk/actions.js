// What can be done to a matter: the key of each action, and what it asks for before it is sent.

/**
 * @typedef {"reason" | "unit" | "handler" | "score" | "other" | "place"} Need
 * @type {Record<string, { key: string, needs?: Need }>}
 */
export const ACTIONS = {
  accept: { key: "a" },
  assign: { key: "t" },
  acknowledge: { key: "a" },
  depart: { key: "d", needs: "unit" },
  arrive: { key: "s", needs: "unit" },
  check_in: { key: "i", needs: "unit" },
  handle: { key: "h" },
  feed_back: { key: "f" },
  verify: { key: "v" },
  reject: { key: "x", needs: "reason" },
  evaluate: { key: "q", needs: "score" },
  return: { key: "b", needs: "reason" },
  decide: { key: "u", needs: "reason" },
  escalate: { key: "e", needs: "reason" },
  send_down: { key: "w", needs: "reason" },
  suspend: { key: "p", needs: "reason" },
  resume: { key: "p" },
  hand_over: { key: "r", needs: "handler" },
  move: { key: "z", needs: "place" },
  merge: { key: "y", needs: "other" },
  unmerge: { key: "y" },
  reopen: { key: "o", needs: "reason" },
  close: { key: "c", needs: "reason" },
};

/** What takes an action back, for those that can be taken back at once. */
export const TAKES_BACK = { merge: "unmerge", suspend: "resume" };

/**
 * The units of a matter that an action can be about, by what is known of them.
 * @param {string} action
 * @param {{ unit_code: string, departed_at: string | null, arrived_at: string | null }[]} units
 */
export function unitsFor(action, units) {
  if (action === "depart") return units.filter(unit => !unit.departed_at);
  if (action === "arrive") return units.filter(unit => unit.departed_at && !unit.arrived_at);
  return units.filter(unit => unit.arrived_at);
}

/**
 * The order of a queue: what nobody has in hand before what is under way, the urgent first, then the oldest.
 * @template {{ step: string, category: string, received_at: string }} Waiting
 * @param {Waiting[]} matters
 * @param {(category: string) => string | undefined} urgencyOf
 */
export function inOrder(matters, urgencyOf) {
  const stages = ["reported", "accepted", "assigned", "handled", "fed_back"];
  const urgencies = ["red", "yellow", "blue", "normal"];
  const rank = (list, value) => (list.includes(value) ? list.indexOf(value) : list.length);
  return [...matters].sort(
    (one, other) =>
      rank(stages, one.step) - rank(stages, other.step) ||
      rank(urgencies, urgencyOf(one.category)) - rank(urgencies, urgencyOf(other.category)) ||
      Date.parse(one.received_at) - Date.parse(other.received_at),
  );
}
