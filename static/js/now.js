// The clock of the server: the computer's own may be wrong, and ages are told by the one that everybody shares.
let ahead = 0; // of this computer's clock, in ms
let known = Infinity; // how far from the truth that may be, in ms

/**
 * Learns from the Date of an answer, which has whole seconds: the quicker the answer came, the better it is known.
 * @param {string | null} date
 * @param {number} askedAt of this computer's clock, when the question was sent
 */
export function learn(date, askedAt) {
  const told = date ? Date.parse(date) : NaN;
  const took = Date.now() - askedAt;
  if (Number.isNaN(told) || took > known + 5000) return;
  known = Math.min(known, took);
  const found = told + 500 - (askedAt + took / 2);
  if (Math.abs(found - ahead) > 1500) ahead = found;
}

/** The time of the server. */
export const now = () => new Date(Date.now() + ahead);
