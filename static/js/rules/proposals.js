// What imports propose about cameras: that one moved, has its national ID now, or is stored twice; a person decides.
import { confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, panel, table } from "../office.js";
import { ask, write } from "../server.js";
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

/** @param {import("../office_tabs.js").Bench} bench */
export async function proposals(bench) {
  const { proposals: open } = await ask("/cameras/proposals");
  return [
    panel(
      say("cameraProposals"),
      element("p", { className: "quiet", textContent: say("proposalsTold", { count: number(open.length) }) }),
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
      ),
    ),
  ];
}
