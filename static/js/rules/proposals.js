// What imports propose about cameras: that one moved, has its national ID now, or is stored twice; a person decides.
import { confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, panel, table } from "../office.js";
import { ask, write } from "../server.js";
import { goingOn } from "../supervision/lists.js";
import { ago, metres, named, number, say } from "../text.js";

/** @typedef {import("../../types.js").Api["Proposal"]} Proposal */

const CLOSE = 18;

/** What would be done. @param {Proposal} one */
function told({ proposal_kind: kind, distance_m: distance, national_id: national, other_id: other }) {
  const far = metres(distance);
  if (kind === "moved") return say("proposedMove", { distance: far });
  if (kind === "national_id") return say("proposedId", { id: national ?? "", distance: far });
  return say("proposedDouble", { id: other ?? "", distance: far });
}

/** @param {import("../office_tabs.js").Bench} bench @param {Proposal} one @param {boolean} is accepted */
async function decide(bench, one, is) {
  // it could not be taken back here
  if (is && !(await confirmed(`${one.name}: ${told(one)}`, say("acceptProposal")))) return;
  await bench.act(async () => {
    await write("POST", `/cameras/proposals/${one.proposal_id}/decision`, { is_accepted: is });
    bench.done(is ? say("proposalAccepted", { name: one.name }) : say("proposalRefused", { name: one.name }));
  });
}

/**
 * What waits by kind and source, to be decided at once: a register that was wrong proposes thousands.
 * @param {import("../office_tabs.js").Bench} bench
 * @param {import("../../types.js").Api["WaitingProposals"][]} waiting
 */
function groups(bench, waiting) {
  /** @typedef {import("../../types.js").Api["WaitingProposals"]} Group */
  const decideAll = async (/** @type {Group} */ group, /** @type {boolean} */ is) => {
    const { proposal_kind: kind, source, count } = group;
    const what = `${named("proposalKinds", kind)} · ${source} · ${number(count)}`;
    if (!(await confirmed(what, is ? say("acceptAll") : say("refuseAll")))) return;
    await bench.act(async () => {
      const decision = { proposal_kind: kind, source, is_accepted: is };
      const done = await write("POST", "/cameras/proposals/decisions", decision);
      bench.done(say("proposalsDecided", { count: number(done.decided), left: number(done.left) }));
    });
  };
  return table(
    [say("kind"), say("fromWhere"), say("proposalsWaiting"), ""],
    waiting.map(group => [
      named("proposalKinds", group.proposal_kind),
      group.source,
      number(group.count),
      element(
        "span",
        { className: "side" },
        button(say("acceptAll"), () => decideAll(group, true), group.source),
        button(say("refuseAll"), () => decideAll(group, false), group.source),
      ),
    ]),
  );
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function proposals(bench) {
  const first = await ask("/cameras/proposals?limit=100");
  const { waiting } = first;
  const count = waiting.reduce((sum, group) => sum + group.count, 0);
  const draw = (/** @type {Proposal[]} */ open) =>
    table(
      [say("kind"), say("camera"), say("whatIsProposed"), say("fromWhere"), say("since"), ""],
      open.map(one => [
        named("proposalKinds", one.proposal_kind),
        element("a", {
          href: `/maps/wall?view=${CLOSE},${one.lat},${one.lon}`,
          textContent: `${one.name} ${one.gb28181_id}`,
        }),
        told(one),
        one.source,
        ago(one.proposed_at),
        element(
          "span",
          { className: "side" },
          button(say("acceptProposal"), () => decide(bench, one, true), one.name),
          button(say("refuseProposal"), () => decide(bench, one, false), one.name),
        ),
      ]),
    );
  return [
    panel(
      say("cameraProposals"),
      element("p", { className: "quiet", textContent: say("proposalsTold", { count: number(count) }) }),
      ...(waiting.some(group => group.count > 1) ? [groups(bench, waiting)] : []),
      goingOn(first, "proposals", draw),
    ),
  ];
}
