// What the levels of the grid are called, and which of them settle matters.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel, table } from "../office.js";
import { ask, write } from "../server.js";
import { number, say, translated } from "../text.js";
import { names } from "./fields.js";

/** @typedef {import("../../types.js").Api["KeptLevel"]} Level */
/** @param {import("../office_tabs.js").Bench} bench */
export async function levels(bench) {
  const { levels: found } = await ask("/levels");

  /** @param {Level} was */
  async function edit(was) {
    const address = `/levels/${was.grid_level}`;
    const { name_zh, name_en, min_zoom, settles } = was;
    const made = await askFor(
      say("levelNumber", { number: was.grid_level }),
      [
        ...names(was),
        field(say("firstZoom"), "min_zoom", { type: "number", min: 0, max: 22, required: true, value: min_zoom }),
        check(say("settlesMatters"), "settles", settles),
      ],
      {
        button: say("save"),
        send: given =>
          write("PUT", address, { ...given, min_zoom: Number(given.min_zoom), settles: Boolean(given.settles) }),
      },
    );
    if (!made) return;
    bench.done(say("savedAs", { name: translated(made, "name") }), () =>
      write("PUT", address, { name_zh, name_en, min_zoom, settles }),
    );
    await bench.again();
  }

  return [
    panel(
      say("levels"),
      element("p", { className: "quiet", textContent: say("levelsTold") }),
      table(
        [
          say("level"),
          say("nameZh"),
          say("nameEn"),
          say("codeScheme"),
          say("firstZoom"),
          say("settlesMatters"),
          say("cellsNow"),
          "",
        ],
        found.map(one => [
          one.grid_level,
          one.name_zh,
          one.name_en,
          one.code_scheme,
          one.min_zoom,
          one.settles ? say("yes") : "",
          number(one.cells),
          button(say("edit"), () => edit(one), translated(one, "name")),
        ]),
      ),
    ),
  ];
}
