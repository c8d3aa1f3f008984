// Categories of incidents, and names that came in and are none of them yet.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel, select, table } from "../office.js";
import { ask, write } from "../server.js";
import { named, number, say, translated } from "../text.js";
import { names, newCode } from "./fields.js";

/** @typedef {import("../../types.js").Api["Category"]} Category */

const URGENCIES = ["red", "yellow", "blue", "normal"];
const ANSWERERS = ["police", "grid", "mediation"];
const address = (/** @type {string} */ code) => `/incidents/categories/${encodeURIComponent(code)}`;

/** @param {import("../office_tabs.js").Bench} bench */
export async function categories(bench) {
  const [{ categories: found }, { loops }, { unlisted }] = await Promise.all([
    ask("/incidents/categories"),
    ask("/loops"),
    ask("/incidents/categories/unlisted"),
  ]);
  const inUse = loops.filter(one => !one.retired_at);
  const loopName = (/** @type {string} */ code) => {
    const loop = loops.find(one => one.loop_code === code);
    return loop ? translated(loop, "name") : code;
  };

  /** @param {Category} [was] */
  async function edit(was) {
    const made = await askFor(
      was ? `${translated(was, "name")} ${was.category_code}` : say("newCategory"),
      [
        ...(was ? [] : [newCode()]),
        ...names(was),
        select(
          say("loop"),
          "loop_code",
          inUse.map(one => [one.loop_code, translated(one, "name")]),
          was?.loop_code ?? "six_steps",
        ),
        select(
          say("urgency"),
          "urgency",
          URGENCIES.map(one => [one, named("urgencies", one)]),
          was?.urgency ?? "normal",
        ),
        select(
          say("answeredBy"),
          "answered_by",
          ANSWERERS.map(one => [one, named("answerers", one)]),
          was?.answered_by ?? "police",
        ),
        field(say("categoryIcon"), "icon", { maxLength: 2, value: was?.icon ?? "", title: say("categoryIconTold") }),
        field(say("checkInMinutes"), "check_in_minutes", {
          type: "number",
          min: 1,
          max: 1440,
          value: was?.check_in_minutes ?? "",
        }),
        check(say("risesByItself"), "rises", was?.rises ?? false),
      ],
      {
        button: say("save"),
        send: ({ code: fresh, rises, check_in_minutes: minutes, ...given }) =>
          write("PUT", address(was?.category_code ?? fresh), {
            ...given,
            rises: Boolean(rises),
            check_in_minutes: minutes ? Number(minutes) : null,
          }),
      },
    );
    if (!made) return;
    const { category_code: former, ...rules } = was ?? { category_code: "" };
    bench.done(say("savedAs", { name: translated(made, "name") }), was && (() => write("PUT", address(former), rules)));
    await bench.again();
  }

  /** @param {{ category: string, count: number }} unknown @param {string} code */
  async function decide({ category, count }, code) {
    const meant = found.find(one => one.category_code === code);
    if (!meant) return;
    const name = translated(meant, "name");
    if (!(await confirmed(say("decideName", { category, name, count }), say("itMeansThis")))) return;
    await bench.act(async () => {
      const { renamed } = await write("POST", `${address(code)}/names`, { name: category });
      bench.done(say("nameDecided", { category, name, count: renamed }));
    });
  }

  const unknown = unlisted.map(one => {
    const meaning = select(say("itMeans"), "meaning", [
      ["", say("chooseCategory")],
      ...found.map(known => /** @type {const} */ ([known.category_code, translated(known, "name")])),
    ]);
    const chosen = /** @type {HTMLSelectElement} */ (meaning.querySelector("select"));
    chosen.ariaLabel = `${say("itMeans")} ${one.category}`;
    const go = button(say("itMeansThis"), () => decide(one, chosen.value), one.category);
    go.disabled = true;
    chosen.onchange = () => {
      go.disabled = !chosen.value;
    };
    return [one.category, number(one.count), element("span", { className: "side" }, chosen, go)];
  });
  return [
    unknown.length
      ? panel(
          say("unknownNames"),
          element("p", { className: "quiet", textContent: say("unknownNamesTold") }),
          table([say("name"), say("incidents"), say("itMeans")], unknown),
        )
      : null,
    panel(
      say("categories"),
      element("p", { className: "quiet", textContent: say("categoriesTold") }),
      button(say("newCategory"), () => edit()),
      table(
        [
          say("itsCode"),
          say("name"),
          say("loop"),
          say("urgency"),
          say("answeredBy"),
          say("checkInMinutes"),
          say("rises"),
          "",
        ],
        found.map(one => [
          one.category_code,
          `${one.name_zh} · ${one.name_en}`,
          loopName(one.loop_code ?? "six_steps"),
          element("span", {
            className: `urgency ${one.urgency}`,
            textContent: named("urgencies", one.urgency ?? "normal"),
          }),
          named("answerers", one.answered_by ?? "police"),
          one.check_in_minutes ?? "",
          one.rises ? say("yes") : "",
          button(say("edit"), () => edit(one), translated(one, "name")),
        ]),
      ),
      unknown.length ? null : element("p", { className: "quiet", textContent: say("noUnknownNames") }),
    ),
  ];
}
