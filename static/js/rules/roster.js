// Who is away and who stands in, who is at the one-stop desk of a community, and which account is which person.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { codeField } from "../finder.js";
import { button, field, form, panel, select, table } from "../office.js";
import { ask, write } from "../server.js";
import { dayOf, momentOf, named, say, when } from "../text.js";

/** @typedef {import("../../types.js").Api["DeskRoster"]} DeskRoster */
/** @typedef {import("../../types.js").Api["Absence"]} Absence */

/** @type {{ cell: string, day: string }} whose roster is shown; kept while the page is open */
const asked = { cell: "", day: dayOf() };

/** @param {DeskRoster["people"][number]} one */
const called = one => `${one.person_name} · ${named("duties", one.duty_role)} · ${one.grid_code}`;

/** @param {import("../office_tabs.js").Bench} bench @param {DeskRoster} of */
async function addAbsence(bench, of) {
  const people = of.people.map(one => /** @type {const} */ ([one.duty_id, called(one)]));
  const made = await askFor(
    say("newAbsence"),
    [
      select(say("whoIsAway"), "duty_id", people),
      select(say("whoStandsIn"), "substitute_id", [["", say("whoeverIsNext")], ...people]),
      field(say("since"), "valid_from", { type: "datetime-local", required: true, value: `${dayOf()}T00:00` }),
      field(say("untilOpen"), "valid_to", { type: "datetime-local" }),
    ],
    {
      button: say("save"),
      send: given =>
        write("POST", "/duties/absences", {
          duty_id: Number(given.duty_id),
          substitute_id: given.substitute_id ? Number(given.substitute_id) : null,
          valid_from: momentOf(given.valid_from),
          valid_to: given.valid_to ? momentOf(given.valid_to) : null,
        }),
    },
  );
  if (!made) return;
  bench.done(say("absenceNoted", { name: made.person_name }), () =>
    write("DELETE", `/duties/absences/${made.absence_id}`),
  );
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench @param {Absence} one */
async function end(bench, one) {
  if (!(await confirmed(say("endAbsence", { name: one.person_name }), say("isBack")))) return;
  await bench.act(async () => {
    await write("DELETE", `/duties/absences/${one.absence_id}`);
    bench.done(say("absenceEnded", { name: one.person_name }));
  });
}

/** @param {import("../office_tabs.js").Bench} bench @param {DeskRoster} of */
function deskForm(bench, of) {
  const was = of.people.filter(one => one.at_desk).map(one => one.duty_id);
  const address = `/duties/desk/${encodeURIComponent(of.grid_code)}/${of.day}`;
  const boxes = of.people.map(one =>
    element(
      "label",
      { className: "check" },
      element("input", { type: "checkbox", name: "at_desk", value: one.duty_id, checked: one.at_desk }),
      called(one),
    ),
  );
  const count = element("p", { className: "quiet" });
  count.setAttribute("aria-live", "polite");
  const made = form(
    [element("fieldset", {}, element("legend", { textContent: say("atTheDesk") }), ...boxes), count],
    say("save"),
    async () => {
      const ids = [...made.querySelectorAll("input:checked")].map(one =>
        Number(/** @type {HTMLInputElement} */ (one).value),
      );
      await write("PUT", address, { duty_ids: ids });
      bench.done(say("deskSaved", { cell: of.grid_code, day: of.day }), () => write("PUT", address, { duty_ids: was }));
      await bench.again();
    },
  );
  const tell = () => {
    const chosen = made.querySelectorAll("input:checked").length;
    count.textContent = say("peopleAtDesk", { count: chosen, wanted: of.wanted ?? 2 });
    count.className = chosen === of.wanted ? "quiet" : "note";
  };
  made.onchange = tell;
  tell();
  return made;
}

/** @param {import("../office_tabs.js").Bench} bench */
async function setWorker(bench, was = { login_name: "", person_name: "", phone: "" }) {
  const made = await askFor(
    say("accountOfPerson"),
    [
      field(say("loginName"), "login_name", {
        required: true,
        value: was.login_name,
        readOnly: Boolean(was.login_name),
      }),
      field(say("personOnRoster"), "person_name", { required: true, maxLength: 200, value: was.person_name }),
      field(say("dutyTelephone"), "phone", { maxLength: 40, value: was.phone }),
    ],
    {
      button: say("save"),
      send: ({ login_name: name, ...person }) => write("PUT", `/field/workers/${encodeURIComponent(name)}`, person),
    },
  );
  if (!made) return;
  const { person_name, phone } = was;
  bench.done(
    say("savedAs", { name: made.person_name }),
    was.login_name
      ? () => write("PUT", `/field/workers/${encodeURIComponent(was.login_name)}`, { person_name, phone })
      : undefined,
  );
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function roster(bench) {
  const [{ absences }, { workers }, shown] = await Promise.all([
    ask("/duties/absences"),
    ask("/field/workers"),
    asked.cell
      ? ask(`/duties/desk/${encodeURIComponent(asked.cell)}/${asked.day}`).catch((/** @type {Error} */ error) => error)
      : null,
  ]);
  const look = form(
    [
      codeField(say("communityOrCell"), "cell", "grid_cell", { required: true, value: asked.cell }),
      field(say("day"), "day", { type: "date", required: true, value: asked.day }),
    ],
    say("look"),
    async given => {
      Object.assign(asked, given);
      await bench.again();
    },
  );
  look.className = "row";
  const found = shown && "people" in shown ? shown : null;
  return [
    panel(
      say("rosterOfDay"),
      element("p", { className: "quiet", textContent: say("rosterTold") }),
      look,
      shown instanceof Error ? element("p", { className: "bad", textContent: shown.message }) : null,
      found && deskForm(bench, found),
      found && button(say("newAbsence"), () => addAbsence(bench, found)),
    ),
    panel(
      say("whoIsAwayNow"),
      table(
        [say("personName"), say("role"), say("cell"), say("whoStandsIn"), say("since"), say("until"), ""],
        absences.map(one => [
          one.person_name,
          named("duties", one.duty_role),
          one.grid_code,
          one.substitute_name ?? say("whoeverIsNext"),
          when(one.valid_from),
          one.valid_to ? when(one.valid_to) : say("untilEnded"),
          button(say("isBack"), () => end(bench, one), one.person_name),
        ]),
      ),
    ),
    panel(
      say("accountsOfWorkers"),
      element("p", { className: "quiet", textContent: say("accountsOfWorkersTold") }),
      button(say("accountOfPerson"), () => setWorker(bench)),
      table(
        [say("loginName"), say("personOnRoster"), say("dutyTelephone"), say("cell"), ""],
        workers.map(one => [
          one.login_name,
          one.person_name,
          one.phone ?? "",
          one.grid_codes.join(" "),
          button(say("edit"), () => setWorker(bench, { ...one, phone: one.phone ?? "" }), one.login_name),
        ]),
      ),
    ),
  ];
}
