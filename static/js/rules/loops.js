// Loops: which stages a kind of matter goes through, and what they are called.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel } from "../office.js";
import { ask, write } from "../server.js";
import { categoryName, listed, named, number, say, translated } from "../text.js";
import { names, newCode } from "./fields.js";

/** @typedef {import("../../types.js").Api["KeptLoop"]} Loop */
/** @typedef {Loop["stages"][number]["stage"]} Stage */

/** @type {Stage[]} */
const STAGES = ["reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated"];
const ALWAYS = 4; // the first stages, which no loop leaves out
const HOUR = 3600;
const address = (/** @type {string} */ code) => `/loops/${encodeURIComponent(code)}`;
/** What is sent of a loop. @param {Loop} loop */
const rulesOf = ({ name_zh, name_en, is_confirmed, return_within_s, most_returns, stages }) => ({
  name_zh,
  name_en,
  is_confirmed,
  return_within_s,
  most_returns,
  stages,
});

/** The rows of a form, one for each stage. @param {Loop["stages"]} had @param {boolean} isNew */
function stageRows(had, isNew) {
  const rows = STAGES.map((stage, at) => {
    const kept = had.find(one => one.stage === stage);
    const name = named("steps", stage);
    const takes = element("input", {
      type: "checkbox",
      name: `takes-${stage}`,
      value: "yes",
      checked: Boolean(kept) || isNew || at < ALWAYS,
      disabled: at < ALWAYS,
      ariaLabel: name,
    });
    const zh = element("input", {
      name: `zh-${stage}`,
      required: true,
      maxLength: 100,
      value: kept?.name_zh ?? name,
      ariaLabel: `${name} ${say("nameZh")}`,
    });
    const en = element("input", {
      name: `en-${stage}`,
      required: true,
      maxLength: 100,
      value: kept?.name_en ?? stage,
      ariaLabel: `${name} ${say("nameEn")}`,
    });
    const turn = () => {
      zh.disabled = en.disabled = !takes.checked;
    };
    takes.onchange = turn;
    turn();
    return element("tr", {}, ...[takes, name, zh, en].map(one => element("td", {}, one)));
  });
  return element(
    "table",
    { className: "stages" },
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["", say("stage"), say("nameZh"), say("nameEn")].map(textContent => element("th", { textContent })),
      ),
    ),
    element("tbody", {}, ...rows),
  );
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function loops(bench) {
  const { loops: found } = await ask("/loops");

  /** @param {Loop} [was] */
  async function edit(was) {
    const made = await askFor(
      was ? `${translated(was, "name")} ${was.loop_code}` : say("newLoop"),
      [
        ...(was ? [] : [newCode()]),
        ...names(was),
        stageRows(was?.stages ?? [], !was),
        element("p", { className: "quiet", textContent: say("stagesTold") }),
        field(say("returnWithinHours"), "hours", {
          type: "number",
          min: 1,
          max: 9600,
          step: "any",
          required: true,
          value: (was?.return_within_s ?? 24 * HOUR) / HOUR,
        }),
        field(say("mostReturns"), "most_returns", {
          type: "number",
          min: 0,
          max: 20,
          required: true,
          value: was?.most_returns ?? 2,
        }),
        check(say("isConfirmedByCity"), "is_confirmed", was?.is_confirmed ?? false),
      ],
      {
        button: say("save"),
        send: given =>
          write("PUT", address(was?.loop_code ?? given.code), {
            name_zh: given.name_zh,
            name_en: given.name_en,
            is_confirmed: Boolean(given.is_confirmed),
            return_within_s: Math.round(Number(given.hours) * HOUR),
            most_returns: Number(given.most_returns),
            stages: STAGES.filter((stage, at) => at < ALWAYS || given[`takes-${stage}`]).map(stage => ({
              stage,
              name_zh: given[`zh-${stage}`],
              name_en: given[`en-${stage}`],
            })),
          }),
      },
    );
    if (!made) return;
    bench.done(
      say("savedAs", { name: translated(made, "name") }),
      was && !was.retired_at ? () => write("PUT", address(was.loop_code), rulesOf(was)) : undefined,
    );
    await bench.again();
  }

  /** @param {Loop} loop */
  async function retire(loop) {
    const name = translated(loop, "name");
    if (!(await confirmed(say("retireLoop", { name }), say("takeOutOfUse")))) return;
    await bench.act(async () => {
      const { open } = await write("DELETE", address(loop.loop_code));
      bench.done(say("loopRetired", { name, count: number(open ?? 0) }), () =>
        write("PUT", address(loop.loop_code), rulesOf(loop)),
      );
    });
  }

  /** @param {Loop} loop */
  const about = loop =>
    panel(
      `${translated(loop, "name")}${loop.retired_at ? say("isRetired") : ""}`,
      element(
        "ol",
        { className: "chain" },
        ...loop.stages.map(one =>
          element("li", { title: named("steps", one.stage) }, element("b", { textContent: translated(one, "name") })),
        ),
      ),
      element("p", {
        className: "quiet",
        textContent: [
          loop.loop_code,
          loop.is_confirmed ? say("cityConfirmed") : say("notConfirmed"),
          say("returnsOf", { hours: number((loop.return_within_s ?? 0) / HOUR, 1), count: loop.most_returns ?? 0 }),
          loop.open === null ? "" : say("openInLoop", { count: number(loop.open) }),
        ]
          .filter(Boolean)
          .join(" · "),
      }),
      element("p", {
        textContent: loop.categories.length
          ? say("usedBy", { names: listed(loop.categories.map(categoryName)) })
          : say("usedByNone"),
      }),
      loop.retired_at
        ? button(
            say("bringBack"),
            () =>
              bench.act(async () => {
                await write("PUT", address(loop.loop_code), rulesOf(loop));
                bench.done(say("savedAs", { name: translated(loop, "name") }));
              }),
            translated(loop, "name"),
          )
        : element(
            "span",
            { className: "side" },
            button(say("edit"), () => edit(loop), translated(loop, "name")),
            loop.categories.length || loop.loop_code === "six_steps"
              ? null
              : button(say("takeOutOfUse"), () => retire(loop), translated(loop, "name")),
          ),
    );

  return [
    element("p", { className: "quiet", textContent: say("loopsTold") }),
    button(say("newLoop"), () => edit()),
    element("div", { className: "cards" }, ...found.map(about)),
  ];
}
